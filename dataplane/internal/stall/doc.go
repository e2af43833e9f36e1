// Package stall ends connections on which nothing moves.
//
// It owns the deadline of every write, on either side of the gateway: a peer that stops reading would otherwise hold a
// request, and with it another connection, for as long as it likes. It doesn't own deadlines of reading: how long silence
// may last depends on what is awaited, which only listener and upstream know.
package stall
