// Package explain asks nodes what they would do with a request that nobody sent, and says where they differ.
//
// It owns the hypothetical request's rules, how a key or consumer stands in for a secret that nobody knows (an API key goes to the
// node as its digest, which is what nodes know keys by), and the comparison of several nodes' answers. It doesn't own the decision,
// which the node makes with the code that serves (dataplane/internal/explain), nor the way to the node (fleet.Inquiries, which
// seals such questions where they lie in the database).
//
// Data flows: HypotheticalRequest → ExplainQuestion → node → Explanation. Nothing of it is logged or kept.
package explain
