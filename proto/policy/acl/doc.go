// Package acl is the contract of the kind "acl": who, of those that a route has authenticated, may make which requests.
//
// It owns the kind's name, phase, traits and deep validation. It does not own consumers, their labels, nor the scopes of
// credentials: those are the directory's, and the edge's stage looks them up.
package acl
