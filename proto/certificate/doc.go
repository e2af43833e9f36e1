// Package certificate reads the certificates that the gateway proves itself with: the chain as the configuration holds it, and the
// private key as a secret does.
//
// It owns what a chain may be ([Parse]: PEM, the certificate itself first, each issued by the next, a key of a kind and size that is
// safe), which hosts it is valid for ([Chain.Covers]) and which of a secret's keys is its own ([Chain.Pair]). Both planes ask it,
// so that what was taken when it was written is taken by a node. It looks at no clock: a node that starts again must take what it had.
//
// No error holds anything of what was read: a private key may have been given where none belongs.
package certificate
