// Package usage counts what nodes have answered: it turns the batches that they send into rollups
// that add up, each batch exactly once.
//
// It owns what a batch may look like ([Receiver] checks it, and that it comes from the node it
// names), the merging of counters, and what can be asked of them ([Reports]). It owns neither the
// way here (the bus delivers) nor the tables (postgres keeps them).
//
// Batches flow bus → Receiver → Store, in groups: one transaction takes a group's receipts and adds
// its counters. A message comes again after any failure, and after some successes; the receipt in
// that transaction is what makes it count once, however often it comes.
package usage
