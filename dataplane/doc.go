// Package dataplane is an edge node: everything that one process needs to decide on requests out of its own memory.
//
// It wires and decides nothing itself:
//
//	enroll      who the node is, and whom it believes
//	configsync  keeps configuration and directory current  ─▶ directory, snapshot
//	state       keeps what both lanes applied on the node's disk
//	listener    bytes ─▶ exchange ─▶ proxy ─▶ router, stages (pipeline, policies), upstream
//	usage       what was answered ─▶ the bus
//	admin       what an operator may ask, on loopback
//
// It imports proto alone: nothing of the control plane, no database.
package dataplane
