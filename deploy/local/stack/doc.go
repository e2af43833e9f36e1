// Package stack runs the whole product on one machine: a database, a control plane with the bus inside (or
// several, which share one), edge nodes that
// enrol by join token, and a demo service.
//
// It owns which programs there are, how they are told of each other, the order in which they start and end, and that what dies runs
// again. It is what `make run` starts, and what the black-box tests drive: those find every part by name, and can kill it. It holds no
// knowledge of the product beyond command lines and the REST API; what is seeded for the demo is package seed's.
//
// State lies in one folder: a second start there goes on where the first one ended.
package stack
