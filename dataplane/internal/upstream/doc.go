// Package upstream speaks to the services behind the gateway.
//
// It owns the pool of connections of each service, the choice of a target by weight, the timeouts of the way there,
// the guard that stands before every connection after DNS, and the words for what went wrong on that side. It does not
// own what is sent: proxy has made the request ready in the Exchange, and nothing here adds or hides a header.
//
// Data flows one way: Exchange.Request out, Exchange.Response in. A Pool is made from a
// snapshot.Spec when a revision is compiled, and lives as long as a snapshot holds it; an equal Spec keeps its Pool over
// revisions, and with it the connections.
package upstream
