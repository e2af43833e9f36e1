// Package payload is the body of a request for those who must have it whole: it is read once, decoded once and parsed once, whoever asks.
//
// It owns the reading into memory ([Body]), in time (pace.go), what content codings hide ([Body.Decoded]), what formats say ([ParseJSON], [ParseForm],
// [ParseMultipart], [ParseXML], [ParseMediaType]), and the node's bound on the memory of all bodies together ([Memory]). It owns no verdict: a policy
// decides what a body may look like, and what becomes of one that is too large.
//
// Parsers take what has one reading and nothing else: whatever others of their kind mend, ignore or read differently is a [Fault]. What a parser
// takes the standard library reads alike, which fuzzing holds them to. They go through a text once, in time that grows with its length alone, stop at
// bounds of their own, and pay for memory before they take it.
//
// What was read goes on to the service as it came, byte for byte; what lies beyond the bound of those who asked streams behind it.
package payload
