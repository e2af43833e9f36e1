// Package inquiry answers what the control plane asks of this node, and says goodbye to it.
//
// It owns the inquiry stream: Hello, then questions in and answers out, a few at a time ([Answerer]); a stream that ends is
// opened again, as the lanes' are. A question that this build doesn't know, or that comes while too many are being answered,
// is refused in words, and the stream goes on. It owns too what the node remembers of its latest errors ([Troubles]).
//
// It doesn't own what the answers say: the node does (Config.Health, Config.Explain). Nothing that a client of the gateway waits for passes
// through here, and neither lane waits for an answer: the stream is one of its own.
//
// Data flows: question → [Answerer] → Health, Explain → answer. At the end, once the last request was served, [Answerer.Goodbye]: the
// node then has no share in the fleet's limits any more.
package inquiry
