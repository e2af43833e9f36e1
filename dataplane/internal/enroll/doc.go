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
// A certificate ends after a day. A Renewer gets the next one, for a new key, when about half of its
// life is over, keeps it on the disk and then swaps it in: whoever reads the identity does so at each
// handshake, so that nobody needs to be told. After its end the node proves that it holds the
// certificate's key, for 30 days (proto/renewal), so that it comes back from a long outage by itself.
// New addresses of the bus are kept too, and used from the next start on.
//
// Whom the node believes in changes by announcements alone ([Identity.Learn], proto/trust): each is signed by a
// key of the one before, lies on the disk before it is believed, and is in force at once then. A signing key that is
// retired stays good for what the node has on its disk. When an authority or an issuer of the bus is replaced, the node
// renews within seconds.
package enroll
