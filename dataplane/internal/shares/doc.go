// Package shares says which part of the fleet's limits is this node's: an even one, by the nodes that the directory lists.
//
// It owns that rule alone. Who is in the fleet is the control plane's word (directory.Fleet); what a share is of a limit, and
// how a change of it is taken over, is limiter's. Another rule, one by which nodes lend each other what they don't use, takes
// the place of this one behind limiter.Shares.
//
// A node that starts from a snapshot file belongs to no fleet before it joins ([Even.Join]), and has no share: the fleet that the
// file lists may be serving, and so may other nodes off the same file, which nobody counts. Limits of the fleet let nothing pass
// there; limits of the node, which need nobody else, hold as ever.
//
// Data flows: directory → [Even.Share] → limiter.Table.
package shares
