// Package descriptions are the API descriptions of the configuration in force, compiled.
//
// It owns the set that stages find them in by id. It doesn't own what a description means (proto/openapi), nor when one is compiled: the snapshot does that, once for each
// document, and shares the result over revisions.
package descriptions
