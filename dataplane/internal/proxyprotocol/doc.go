// Package proxyprotocol lets load balancers that pass connections on say whom each is from: by the header of the PROXY protocol, version 1
// or 2, which they send in front of all else (haproxy.org, proxy-protocol.txt).
//
// A [Gate] reads it from addresses that the settings list, and there it must be: who sits behind such a balancer could otherwise send
// one of its own. From all other addresses nothing is read, so that what looks like a header is a malformed request. The reader is
// strict, and bounded in bytes; how long it may take is the caller's deadline.
//
// Not a byte behind the header is read: what follows is left in the connection, so that whoever serves it can use the connection
// itself ([Conn.NetConn]) and needs to know of the wrapper nothing but the address.
package proxyprotocol
