// Package enroll gives a node its identity: a certificate for its connections to the control plane
// and the bus, a user for the bus, and what to believe in.
//
// At the first start a join token is turned into one. The node knows nothing then but the hash of
// the authority's public key in the token, and tells the token to nobody whose chain doesn't lead to
// that key. It makes its own keys, which never leave it, and checks the answer before it keeps it: in
// one file of the data directory, from which every later start takes it.
//
// Peers are told by their SPIFFE id, never by a host name: addresses of control planes change.
//
// A certificate ends after a day. This package tells when (Identity.Watch), and does not renew it
// yet: what reads the certificate does so at each handshake, so that a renewed one will be used
// without anybody being told.
package enroll
