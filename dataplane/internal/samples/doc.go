// Package samples keeps some of the requests that were inspected, sealed, so that an exclusion can be tried on what really comes.
//
// It owns the bounds ([Ring]: bytes in all, an end for each sample, no route at the cost of the others) and the seal: a sample lies in memory under a
// key that the process made and that nothing outside of it knows, and is gone with it. Nothing is kept of a policy that doesn't ask for it ([Keeper]).
// What of a request is a credential never comes here: who makes a [Sample] leaves it out ([Bare] helps). No sample leaves the node.
package samples
