package acl

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// Verbs of a rule's sentence.
const (
	pass    = "pass for"
	refused = "are refused to"
)

// change is what is said of a rule that comes or goes.
type change struct {
	code, opposite, verb string
}

// effects says which rules come and go, what becomes of requests of which none speaks, and where roles are read from. A rule that is
// written differently goes and comes.
func effects(before, after *policyv1.Acl) []policy.Effect {
	comes, goes := policy.Danger, policy.Danger
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil: // it may only narrow
		comes = policy.Attention
	case after == nil:
		goes = policy.Attention // that the policy goes is said of it
	}
	allow, allowed := change{"rule_allows", "rule_allowed", pass}, change{"rule_allowed", "rule_allows", "no longer " + pass}
	deny, denied := change{"rule_denies", "rule_denied", refused}, change{"rule_denied", "rule_denies", "no longer " + refused}
	all := slices.Concat(
		said(without(after.GetAllow(), before.GetAllow()), allow, comes), said(without(before.GetAllow(), after.GetAllow()), allowed, goes),
		said(without(after.GetDeny(), before.GetDeny()), deny, comes), said(without(before.GetDeny(), after.GetDeny()), denied, goes),
	)
	if before == nil || after == nil {
		return all
	}
	return append(all, settings(before, after)...)
}

// settings says what changes beside the rules.
func settings(before, after *policyv1.Acl) []policy.Effect {
	const opens, closes = "otherwise_allowed", "otherwise_refused"
	var all []policy.Effect
	switch was, is := before.GetOtherwise(), after.GetOtherwise(); {
	case was == is:
	case is == policyv1.Otherwise_OTHERWISE_ALLOW:
		all = append(all, policy.Effect{
			Code: opens, Opposite: closes, Severity: policy.Danger, Text: "requests of which no rule speaks pass for every consumer",
		})
	default:
		all = append(all, policy.Effect{Code: closes, Opposite: opens, Severity: policy.Danger, Text: "requests of which no rule speaks are refused"})
	}
	if !slices.Equal(before.GetRoleClaims(), after.GetRoleClaims()) {
		all = append(all, policy.Effect{
			Code: "roles_elsewhere", Severity: policy.Danger, Text: "roles are read from " + policy.List(after.GetRoleClaims(), "and", strconv.Quote),
		})
	}
	return all
}

func said(rules []*policyv1.AclRule, c change, severity policy.Severity) []policy.Effect {
	var all []policy.Effect
	for _, rule := range rules {
		all = append(all, policy.Effect{Code: c.code, Opposite: c.opposite, Severity: severity, Text: sentence(rule, c.verb, unnamed)})
	}
	return all
}

// without returns the rules that the others don't have.
func without(rules, others []*policyv1.AclRule) []*policyv1.AclRule {
	return slices.DeleteFunc(slices.Clone(rules), func(rule *policyv1.AclRule) bool {
		return slices.ContainsFunc(others, func(other *policyv1.AclRule) bool { return proto.Equal(rule, other) })
	})
}
