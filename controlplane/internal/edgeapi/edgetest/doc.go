// Package edgetest is a node without a data plane, and a lane store without a database: what tests
// and benchmarks of the control plane put at the ends of the wire.
//
// [Node] enrols and syncs over real gRPC and mutual TLS. Its [Replica] verifies every head, applies
// what it is sent aside, compares digests and only then swaps, as a real node does. [Store] holds
// lanes in memory, so that a test can make it go back or lie; the real store is Postgres.
package edgetest
