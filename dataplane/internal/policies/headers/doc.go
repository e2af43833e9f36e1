// Package headers enforces the kind "headers": it changes the header fields of requests and of answers.
//
// It owns the compiled changes and what a variable stands for in an exchange. The language of values and the names that nobody
// may change are the contract's (proto/policy/headers), and the fields that the gateway itself writes are the proxy's, which
// has the last word on them.
//
// A value is made in the exchange's own memory. It is written only if it can do no harm: one that holds a control character (a
// line break that a client managed to get into a parameter or field), is too long, or has nothing in it leaves its field out.
// What is set is removed first in any case, so that the client's own field never stands in for a value that couldn't be made.//
// Trailers of answers are not written, but what is removed or set is taken out of them too: a service can't say behind the body what it
// mustn't say in front of it. Trailers of requests never reach a service.
package headers
