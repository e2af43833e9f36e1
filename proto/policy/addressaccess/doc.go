// Package addressaccess is the contract of the kind "address-access": it lets requests in or keeps them out by the client's
// address.
//
// It owns the kind's name, phase, traits and deep validation. It does not own how ranges are written and looked up (ranges), nor
// what a client's address is: that is the edge's proxy's.
package addressaccess
