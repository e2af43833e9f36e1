// Package listener turns bytes from clients into exchanges, and answers back into bytes.
//
// It owns the client's side of the wire: accepting, reading heads and bodies, timeouts there, what HTTP itself forbids,
// and writing the answer. It does not own what is decided: a Handler gets the Exchange and leaves an answer in it. It
// does not know routes, policies or upstreams.
//
// Data flows: connection → Exchange.Request → Handler.Serve → Exchange.Response → connection → Handler.Finish.
//
// For now it stands on net/http, and is the only package of the edge, with upstream and admin, that names a type of it.
//
// What a client says of its connection alone (Connection, and the fields that it names) ends here: neither routes nor policies see a
// field that the service won't get.
package listener
