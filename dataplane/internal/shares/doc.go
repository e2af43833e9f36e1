// Package shares says which part of the fleet's limits is this node's: an even one, by the nodes that the directory lists.
//
// It owns that rule alone. Who is in the fleet is the control plane's word (directory.Fleet); what a share is of a limit, and
// how a change of it is taken over, is limiter's. Another rule, one by which nodes lend each other what they don't use, takes
// the place of this one behind limiter.Shares.
//
// Data flows: directory → [Even.Share] → limiter.Table.
package shares
