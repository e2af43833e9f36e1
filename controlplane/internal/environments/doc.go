// Package environments owns the units of isolation: their names, their counters as the API shows them,
// and how one begins.
//
// An environment begins with an empty configuration (revision 0, nothing in it) and a directory of one
// entry: its first pepper, sequence 1. Its settings are a resource of its configuration, not of this
// package.
//
// Data flows *adminv1.Environment → [Environments.Create] → [Store]; reads come back the same way.
package environments
