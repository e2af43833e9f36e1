// Package trust is how what nodes believe in changes: bundles of authorities and signing keys, each
// numbered, and each announced under a key of the one before it.
//
// It owns what is signed and what makes a bundle good to follow another, so that both sides hold to
// the same rules. It keeps no key, and doesn't decide when something is announced: that is the
// control plane's; nor where a bundle is kept: that is the node's.
package trust
