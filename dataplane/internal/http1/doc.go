// Package http1 is the wire format of HTTP/1.1, for both sides of the gateway: reading heads and bodies, and writing them.
//
// It owns the grammar (RFC 9112, and of RFC 9110 what framing depends on) and the memory that a message is read into. It doesn't
// own connections, deadlines, or what a message means: listener and upstream do.
//
// It is strict both ways. What could be read in two ways is refused, never repaired: both or several of Content-Length and
// Transfer-Encoding, codings other than chunked, chunk extensions, bare CR and LF, folded lines, spaces around names, control bytes, a
// missing, repeated or wrong Host, an absolute target that names another host. An answer is held to the same rules as a request.
//
// # Memory
//
// A [Reader] reads into one buffer. The strings of a head share it: they live until [Reader.Release]. A body is read through the same
// buffer behind the head, or straight into the caller's memory where that is larger. Nothing is allocated for a message that fits.
package http1
