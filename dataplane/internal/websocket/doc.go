// Package websocket is what a gateway has to know of WebSocket (RFC 6455): the opening handshake, and where in a stream of bytes one frame
// ends and the next begins.
//
// It owns the handshake's rules, the [Tracker] of frames and the Close frames that the gateway itself sends. It doesn't own connections, nor
// what is in a message: payloads pass as they are.
//
// A tracker is strict: what an endpoint would fail the connection for (reserved bits that nobody agreed on, unknown opcodes, control frames that are long or
// in pieces, lengths in more bytes than they need, a mask in the wrong direction, fragments out of order) is an error here, so that both ends
// and whoever looks in between read the same frames.
package websocket
