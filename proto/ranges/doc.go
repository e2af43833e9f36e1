// Package ranges is how ranges of client addresses are written, and the set that they are looked up in.
//
// It owns the one form that a range has (CIDR, from its first address, the shortest spelling), the words for what is wrong with any
// other, and [Set]. It doesn't own what being in a set means: that is the kind's or the setting's that has one.
//
// An IPv4 address mapped into IPv6 is the IPv4 address: it is looked up as that, and can't be written.
package ranges
