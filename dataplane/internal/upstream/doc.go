// Package upstream speaks to the services behind the gateway: our own client of HTTP/1.1 on package http1.
//
// It owns the targets of all services, with their connections, addresses and how they fare; the choice of a target; what is tried again;
// every bound in time on the way there; the guard that stands before each connection after DNS; and the words for what went wrong on that
// side. It doesn't own the wire format (http1), nor what is sent: proxy has made the request ready in the Exchange, and nothing is added
// here but what frames it.
//
// Data flows one way: Exchange.Request out, Exchange.Response in.
//
//   - A [Registry] is all targets of a node. Its Run closes what idles too long and asks for names anew. A target is known by address and TLS
//     settings. It is the same in each revision, and in each service that has it: connections, ejection and what waits outlive a change of
//     weights or timeouts. Once no pool has it, it is gone.
//   - A [Pool] asks one service, as its snapshot.Spec says. It costs nothing: a spec that changes gets another one, over the same targets.
//   - A conn carries one exchange at a time, on the goroutine of that. While it idles it has no buffer, no timer and no goroutine.
//
// # One exchange
//
// The head, with what is there of the body, is written at once. Before, the connection is looked at: what a target said unasked, or its
// end, makes it useless, so that no answer is ever taken for that to another request. In plain the look costs nothing, since it takes the
// place of the read that would find nothing yet. A body that isn't there whole is read in first where it has room; else a goroutine of its
// own sends it, so that an answer which comes first gets through. After such an answer the connection is closed.
//
// Answers are held to the rules of http1. At most 8 interim ones are borne, of which 103 goes to the client; 101 must have been asked for, and
// makes the connection a tunnel. The strings of an answer's head live until its body, or the tunnel, is closed.
//
// # Trying again
//
// A request is sent again, once and on a new connection, if the one that was used before died without a byte of an answer, all of the request
// is in memory, and its method is idempotent (RFC 9110, section 9.2.2). If the connection was found dead before anything was written, another
// one is used, whatever the request.
//
// # Bounds in time
//
// timeouts.connect covers DNS, connection and TLS; response_head the time from the end of the request to that of the answer's head; try and request
// everything, up to the end of the answer. Besides, a target may take nothing for 60 s, and be silent in the middle of an answer for as long,
// unless that is a stream of server-sent events or a tunnel: there TCP itself asks whether the target lives. The sweeper's clock is
// looked at each 50 ms.
//
// # Names
//
// A name is resolved by the resolver of Go, in the background for as long as it is needed, and as often as the answers' TTL asks for (1 s to 5 min;
// 10 s where there is none). Only the first request waits for it. When that fails, the last addresses stay. Connections to an address that is gone
// end when they aren't used.
//
// # Health
//
// A failure is: no connection, no head of an answer in time or one that is none, a status by which a server says that it can't serve (502, 503,
// 504), and an answer that breaks off, unless the gateway has cut it. An answer that is there as a whole forgives those before it; its head alone
// doesn't. So many failures in a row eject the target for a while.
//
// # Seams
//
// A picker chooses among the members of a pool; another way to balance is another picker. What pickers ask of a target is its health, which
// requests write today: checks that ask by themselves, and breakers, are to write there as well.
package upstream
