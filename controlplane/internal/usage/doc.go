// Package usage counts what nodes have answered: it turns the batches that they send into sums that
// add up, each batch exactly once, and answers questions about them.
//
// It owns
//   - what a batch may look like: [Receiver] checks it, and that it comes from the node it names;
//   - where in time each count belongs ([Tally]): in its minute and its hour; in its hour alone when
//     its minute isn't kept any more; as of now when only a wrong clock can have said it. Detail may be
//     lost, a count never is;
//   - how long what is kept, and the partitions that follow from it ([Wanted], [Expired], [Upkeep]);
//   - what is kept of how single requests were decided, of all that nodes may say of it;
//   - what of that is counted by rule ([Finding]), and which rules are likely to call normal requests bad;
//   - what can be asked ([Reports]), and what every answer says of itself: the time it covers, the
//     batches that are known to be missing in it, the nodes that can't be heard.
//
// It owns neither the way here (the bus delivers) nor the tables (postgres keeps them).
//
// Batches flow bus → Receiver → Ledger, in groups: one transaction takes a group's receipts and adds
// its counts. A message comes again after any failure, and after some successes; the receipt in that
// transaction is what makes it count once, however often it comes. What is kept or too old is decided by
// the database's clock, so that replicas agree.
package usage
