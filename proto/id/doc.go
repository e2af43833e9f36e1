// Package id is how objects are identified: a UUIDv7 (RFC 9562 §5.7) inside, a prefixed text that
// sorts by time outside, such as rt_01k9hj0y3zf2v8k6t4m5n7p9qa.
//
// It owns the two forms and the way between them. It doesn't own the list of prefixes: each type of
// object names its own where it is defined. Every ID has exactly one text per prefix, and Parse
// takes no other, so texts can be compared instead of IDs.
package id
