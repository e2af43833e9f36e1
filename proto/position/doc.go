// Package position is what exactly a node holds: an epoch, and a number in each of the two lanes.
//
// It owns the triple, its text and its order. It doesn't own what the numbers count (the revisions of
// the configuration, the entries of the directory) or when an epoch begins, and nothing passes
// through it but values.
package position
