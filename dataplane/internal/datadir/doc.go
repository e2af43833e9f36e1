// Package datadir keeps a node's data directory for one process: two that write one state would each undo what the other has made
// durable. The kernel holds the lock and frees it when the process ends, however it ends; nothing is left to clean up.
package datadir
