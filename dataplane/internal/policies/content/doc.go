// Package content is the stage of the kind "content": it holds a body against what its Content-Type and Content-Encoding say it is.
//
// It owns the verdict, and the marks that formats begin with. It doesn't own the parsing: a body is decoded and parsed once for all stages
// (payload). What isn't known here is refused unless the policy lets it pass, and then it isn't read at all.
package content
