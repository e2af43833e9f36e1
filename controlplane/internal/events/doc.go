// Package events tells programs what happened in an environment: a credential was revoked or is about to end, a node refused a
// revision, a limit is near.
//
// It owns what is an event ([FromAudit], [Watcher]), the feed in which they are read in order ([Feed]), the webhooks that they are posted
// to ([Webhooks]), and the posting ([Courier]). What people did becomes an event in the transaction that does it: the ground draws it
// from the audit event there, so that neither is without the other. What nobody did (a key nears its end) is looked for, and told of
// once. It owns neither the audit record (audit), nor the way out of the process and what may be reached by it (outbound).
//
// The numbers of an environment's feed ascend without a gap, in the order of commits: a reader who asks for what comes behind the
// last number that it has misses nothing and needs nobody to remember where it was. Deliveries come at least once, in no promised
// order; the event's id tells which are the same.
//
// Data flows: audit event or Watcher → Store (feed, and a delivery for each webhook that wants it) → Courier → the webhook's address.
package events
