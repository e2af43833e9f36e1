// Package certificates answers TLS handshakes: it knows the certificates of the revision in force, finds their private keys in the
// directory, and gives each client the one of the host that it names.
//
// A [Certificate] is compiled once, by its content; a [Set] is all of a revision's, by host. A [Keeper] joins the set in force with what
// changes beside it: the secret that holds a key, the settings, the keys that session tickets are sealed with. Each is looked at in each
// handshake, so that what takes another's place is used from the next handshake on and disturbs no open connection; what is made of them
// (a parsed key, a tls.Config) is kept until one of them changes.
//
// It fails closed. A host is answered for with its own certificate, with one whose wildcard stands for it, or, if nobody has it, with the
// default one. If the key of that certificate is missing or is another's, the handshake is refused: no other certificate takes its place.
// What is refused is counted, and told in the node's log, status and health.
//
// Session tickets are sealed under keys that are derived, for each certificate, from those that the fleet shares: a session that was
// begun at one node goes on at another, but never under another certificate than it was begun with. Without shared keys none are given.
//
// It owns no connection and no listener: those are package listener's. How to set it up, and how certificates are rotated: TLS.md.
package certificates
