// Package acl enforces the kind "acl": who, of those that a route has authenticated, may make which requests.
//
// It owns the compiled rules and how they are asked. Who calls comes from Authenticate ([pipeline.Exchange.Caller]), the
// consumer's labels from the directory as it is at that moment, the credential's scopes with its proof, roles and claims with the token
// that was verified. The configuration names consumers by id, softly: a rule about one that the directory doesn't hold is about nobody.
//
// A claim of a form that no rule reads (an object, a list of lists) leaves a condition on it unclear. What is unclear never opens
// anything: no allow rule matches by it, and every deny rule does.
//
// A request allocates nothing: methods, consumers and scopes are looked up in sets that were made when the policy was.
package acl
