// Package basic is the contract of the kind "basic": it proves a consumer by a username and password (RFC 7617).
//
// It owns the kind's name, phase, traits and the words for what its changes mean. It does not own what passwords are compared by
// (proto/password), nor the stage that looks them up (the edge).
package basic
