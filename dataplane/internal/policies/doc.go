// Package policies is the list of the kinds that this edge enforces: one line each.
//
// It owns the list alone. Each kind's stage is in a package of its own beside it, which imports pipeline and its contract,
// never another kind. To add one: write the package, add the line; the tests fail until contract and list agree.
package policies
