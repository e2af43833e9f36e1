// Package http1 is the wire format of HTTP/1.1, for both sides of the gateway: reading heads and bodies, and writing them.
//
// It owns the grammar (RFC 9112, and of RFC 9110 what framing depends on) and the memory that a message is read into. It doesn't
// own connections, deadlines, or what a message means: listener and upstream do.
//
// # What is taken
//
// It is strict both ways. What could be read in two ways is refused, never repaired: both or several of Content-Length and
// Transfer-Encoding, codings other than chunked, chunk extensions, bare CR and LF, folded lines, spaces around names, control bytes, a
// missing, repeated or wrong Host, an absolute target that names another host, names that imitate those of framing (Transfer_Encoding),
// trailers that belong into the head. An answer is held to the same rules as a request. What it takes, net/http reads the same: fuzz targets
// hold that. The tables in the tests say what is refused, and how.
//
// In two places it is stricter than the RFCs ask for, since leniency serves nobody there but an attacker: chunk extensions (RFC 9112, section
// 7.1.1, would have them ignored), and minor versions above 1 (which will never be). In one it forgives, as section 2.2 wants: one empty
// line before a request.
//
// What it writes is one message whatever it is told to write: fields that would begin another are left out, targets are escaped, and where a
// body ends is said by [AppendLength] or [AppendChunked] alone, never by a field of a header.
//
// # Memory
//
// A [Reader] reads into one buffer. A head is parsed where it lies: method, target, names and values are strings that share the buffer, and
// live until [Reader.Release], no longer. Whoever needs one beyond that clones it. Until then nothing is written over a head: the body is read
// behind it, or straight into the caller's memory where that is ample; if there is no room behind it, reading goes on in another buffer, and the
// head keeps the old one. Trailers are copies, since whoever gets them reads them when the body is gone.
//
// With the race detector, Release overwrites what it takes back: a test in which somebody keeps a string too long sees it.
//
// Nothing is allocated for a message whose head fits into the buffer, and no bound is met by memory: a head grows the buffer up to
// [Limits.Head], trailers up to 8 KiB, a line with a chunk's size not at all.
package http1
