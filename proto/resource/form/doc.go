// Package form is how single values look in JSON: durations, times, enums, texts.
//
// It owns the grammar of each, in both directions, and the shortened form in which a violation shows
// what was given. It does not own documents: fields, lists and objects are package resource's.
package form
