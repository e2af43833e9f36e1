// Package path is the canonical form of a request's path: the one form that the router matches, that
// policies see, and that goes to the upstream.
//
// It owns [Canonical] and [Form], which give that form or refuse, and what reads it: [NextSegment],
// [HasPrefix], [Template]. It doesn't own hosts, queries or length limits, and it doesn't route.
//
// Most bypasses of a gateway are two programs reading one path in two ways. So whatever is known to be
// read in two ways is refused, with a [Reason], instead of being cleaned: dot segments, empty
// segments, encoded slashes, backslashes, parameters, double encoding, controls, broken escapes,
// anything that isn't UTF-8 or isn't allowed raw in a path (RFC 3986 §3.3). What every reader may write
// in either way is written in one: escapes of characters that a segment may hold raw are decoded, the
// remaining ones written in upper case (§6.2.2.1). That is more than §6.2.2.2 asks, which leaves the
// reserved ones alone: but nearly all upstreams read /a:b and /a%3Ab as one path, and a policy on
// the one must not be passed by the other.
//
// A [Form] gives some sorts one reading instead, each for itself: dot segments resolved, empty segments merged, backslashes turned, encoded slashes
// kept as data, parameters taken off. What comes out is a fixed point of the same Form, and, but for kept slashes, of the strictest one; and where two
// of its steps done in another order would give another path ("/a//../b", "/a%2Fb/..", "/..;/"), it is refused. Other sorts no Form lets pass,
// since no reading of them holds for all who read: a NUL ends a path for some and not for others; so does an encoded control; bytes that aren't UTF-8
// are replaced, dropped or kept; what is escaped twice is decoded once, twice or as often as it goes.
//
// Data flows one way: the path part of the request target as received goes in, and from there on
// only the result is used. Escapes that remain in it are never decoded again.
package path
