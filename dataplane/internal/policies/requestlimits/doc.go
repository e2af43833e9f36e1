// Package requestlimits is the stage of the kind "request-limits": it bounds what a request may look like.
//
// It owns the verdict on method, sizes and content type. It doesn't own the counting of bodies as they stream (pipeline, LimitBody),
// nor the node's own bounds (listener).
//
// What a request says of itself is judged before anything is read: a body that is announced as too long is refused then. A body of
// unknown length counts as one, and is cut off where it goes beyond; the refusal then is the proxy's answer, in this policy's name. In
// shadow such a body passes whole, and counts at its end. The stage's counters then hold both verdicts: on the head, and on the body.
package requestlimits
