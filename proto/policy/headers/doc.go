// Package headers is the contract of the kind "headers": it changes the header fields of requests and answers.
//
// It owns the kind's name, phase, traits and deep validation, the language of its values ([Parse]), and which names nobody may
// change ([Refused]). It does not own what variables stand for in a request: that is the edge's stage.
package headers
