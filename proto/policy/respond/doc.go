// Package respond is the contract of the kind "respond": it answers in place of the service.
//
// It owns the kind's name, phases, traits and deep validation, and how the location of a redirect is written ([ParseLocation]). It
// does not own how an answer is sent: that is the edge's stage.
package respond
