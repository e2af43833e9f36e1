// Package proxy takes a request through the gateway.
//
// It owns the order of the steps (client address and the blocks on it, route, stages, upstream, responders, finishers), what
// passes between the two sides (hop-by-hop fields never do; the names by which services learn who calls are the gateway's
// alone), and how closely it is looked at
// (sampled spans and decisions), and what is recorded of the end: usage, access log, span. It decides nothing by itself: blocks are the
// directory's, routes the snapshot's, verdicts the stages', targets the upstream's.
//
// Data flows one way: listener → Serve → Exchange.Response → listener → Finish → usage, access log, span.
package proxy
