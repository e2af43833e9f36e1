// Package mediatype is how policies write down media types, and which of them a Content-Type is.
//
// It owns the patterns of configurations. It doesn't own the reading of what callers send: that is the edge's.
package mediatype
