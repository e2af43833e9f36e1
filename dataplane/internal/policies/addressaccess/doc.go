// Package addressaccess is the stage of the kind "address-access": it lets requests in or keeps them out by the client's address.
//
// It owns the verdict: what is denied is refused, then, where anything is allowed, what isn't allowed. It doesn't own the look-up
// (ranges), nor what a client's address is (proxy). A request whose address isn't known is refused.
package addressaccess
