// Package problem is the one list of what can go wrong, as the outside sees it.
//
// It owns the stable codes with their status, title and meaning ([Definition]), the body of a
// refusal ([Problem], RFC 9457), what is wrong with one field of a body ([Violation], its place as
// an RFC 6901 pointer), and the one error type of the product ([Error]: a code, a text that may be
// shown, a cause that may not).
//
// It does not own HTTP or gRPC: a face turns an error into a status, and only a face does. It
// doesn't log, and it decides nothing.
//
// Data flows outwards: a domain returns an *[Error]; the face calls [From] and writes what
// [Problem.Append] gives it. The cause never passes that line. The edge, which rejects on its hot
// path, fills a Problem with [New] and appends it to a buffer of its own: no reflection and no
// allocation.
package problem
