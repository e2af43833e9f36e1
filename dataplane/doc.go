// Package dataplane is an edge node: everything that one process needs to decide on requests out of its own memory.
//
// It wires and decides nothing itself:
//
//	datadir     the data directory is one process's at a time
//	handover    the next process of the node gets the listening sockets, and nothing is dropped
//	enroll      who the node is, and whom it believes
//	configsync  keeps configuration and directory current  ─▶ directory, snapshot
//	state       keeps what both lanes applied on the node's disk
//	freshness   how long ago the control plane last vouched for the directory
//	listener    bytes ─▶ exchange ─▶ proxy ─▶ router, stages (pipeline, policies), upstream
//	streams     ends long exchanges of who isn't let in any more
//	effort      what inspections may cost
//	usage       what was answered ─▶ the bus
//	admin       what an operator may ask, on loopback
//
// Of two processes of a node, while one takes over from the other, one writes in the data directory, and between them nobody does: the state
// stands still from when the sockets are offered until the next process has the right to write. Both answer, count (each in a spool of its own)
// and hear of revocations all the time. Clients meet one of them at any moment.
//
// A node that starts from a snapshot file (-snapshot) serves before it has an identity: what belongs to a control plane (enroll's renewal,
// configsync's streams, inquiry, usage's bus) begins once it has joined one, and never does for a node that is alone. Until then counts of
// usage wait on the disk, and limits of the fleet let nothing pass: the node has no share of them.
//
// It imports proto alone: nothing of the control plane, no database.
package dataplane
