// Package kinds is the list of all kinds of policy: one line each.
//
// It owns the list and the look-ups over it. It does not own any kind's contract (the packages
// beside it) nor what a kind is (package policy).
package kinds
