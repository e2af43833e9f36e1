// Package compat runs this build beside the one before: the commit that the file BASE names, which is set when an issue ends.
//
// The programs of that commit are built from the clone's history and driven through the same harness as the stories in e2e: its edges
// under this control plane, these edges under its control plane, and an upgrade of a running fleet in the order that operators are told
// (control plane first, then one edge after the other). That the contract itself stays readable is `make verify`'s: buf breaking against
// the same commit.
package compat
