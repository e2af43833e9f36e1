// Package listener turns bytes from clients into exchanges, and answers back into bytes.
//
// It owns the client's side of the wire: accepting, TLS, reading heads and bodies, deadlines there, what HTTP itself forbids, writing the
// answer, and tunnels (WebSocket). It doesn't own the grammar (http1, websocket) or what is decided: a Handler gets the Exchange and leaves an
// answer in it. It knows no routes, policies or upstreams.
//
// Data flows: connection → Exchange.Request → Handler.Serve → Exchange.Response → connection's buffer → Handler.Finish → client.
//
// # A connection
//
// Each has a goroutine, and one timer of the sweeper for whatever is due (clock). A bare TCP connection stays with the runtime's poller from one
// request to the next ([wire.await]): those that come whole are served there, and what waits for more bytes leaves it. While nothing comes the
// connection holds no buffer. A plain request allocates nothing: what lives for one request is the
// connection's memory, or the exchange's.
//
// What a client says of its connection alone (Connection, and the fields that it names) ends here: neither routes nor policies see a
// field that the service won't get. What can be read in two ways is refused by a problem, and the connection ended: what comes behind it might be anything.
// So it is ended behind a body that wasn't read to its end. Such an end lingers for a moment, so that the client can read the answer.
//
// # Billed is answered
//
// Nobody has the end of an answer before its exchange is finished, and with it counted. The end (the last piece of a known length, the last
// chunk, the connection's end) waits in the connection's own buffer while Handler.Finish runs, and is written then. So whatever a client has
// seen whole was counted, though the edge dies right then; and a client that is gone in this very moment is billed for what was
// on its way. An answer that can't be sent whole never looks as if it were.
//
// # A client that is gone
//
// Nobody reads a connection while its request is served, so that a client's end is looked for: first when a request has taken 50 ms, then
// twice a second (gone.go). A reset ends the exchange at once. One that has only ended its own side may still read (half-close), and gets its answer
// if that comes, or goes on, within a second. Bytes of a next request say that the client is there.
//
// # HTTP/2
//
// It is net/http's until it has its own engine: http2.go is the one file that names a type of it.
package listener
