// Package datadir keeps a node's data directory for one process: two that write one state would each undo what the other has made
// durable. The kernel holds the lock and frees it when the process ends, however it ends; nothing is left to clean up.
//
// While a process hands over to the next one both hold the directory, by one lock of which each has the open file, so that no third one
// comes between them. Which of them writes in it is a second lock's say, the writer's: whoever would write takes it first. A process
// that hung, and wakes when the other has gone on without it, doesn't get it.
package datadir
