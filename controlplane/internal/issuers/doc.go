// Package issuers asks token issuers for their keys, and makes the directory say what they answer.
//
// It owns when an issuer is asked ([Keeper]: on a schedule with jitter, on demand and then a few times a minute at most, by one replica of
// many under a lease in the database; after failures again soon, and later and later), how (go-oidc finds the JWKS by the discovery
// document, or the configuration names its address; package jwk of the contract reads it), and what of an answer is believed:
//
//   - Only a key set that can be read says anything. Whatever else comes, no answer included, leaves the keys as they are: an issuer that is
//     down takes nobody's access away. It is counted, shown, and tried again.
//   - A key that a set doesn't have any more is dead; one that a later set has again is good again.
//   - A set without a key of use ends all access at once, and comes from an issuer that starts up more often than from one that means it. It
//     is believed when it is still so at the next look, some seconds later.
//   - Where an issuer's keys are looked for elsewhere than before, those of before are good until the first answer from there, for a minute
//     at most.
//
// It doesn't own the guard over what may be connected to (package outbound, as a [Network]), the way of a change into the directory and the
// record (publish), nor what nodes make of it. Keys that the configuration gives go into the directory with it (publish), so that no
// rollback brings one back.
//
// Data flows schedule or demand → lease → answer → [publish.KeyReport] → directory → nodes.
package issuers
