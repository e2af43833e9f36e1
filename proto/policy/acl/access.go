package acl

import (
	"slices"
	"strconv"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says the rules in words, in the order in which they count.
func access(config *policyv1.Acl, names policy.Names) []policy.Statement {
	var all []policy.Statement
	add := func(code, text string, values []string) {
		all = append(all, policy.Statement{Part: policy.Demand, Code: code, Text: strings.ToUpper(text[:1]) + text[1:] + ".", Values: values})
	}
	for _, rule := range config.GetDeny() {
		add("rule_denies", sentence(rule, refused, names), rule.GetMethods())
	}
	for _, rule := range config.GetAllow() {
		add("rule_allows", sentence(rule, pass, names), rule.GetMethods())
	}
	switch {
	case config.GetOtherwise() == policyv1.Otherwise_OTHERWISE_ALLOW:
		add("otherwise_allowed", "requests of which no rule speaks pass for every consumer", nil)
	case len(config.GetAllow()) == 0:
		add("otherwise_refused", "no request passes, since no rule allows one", nil)
	default:
		add("otherwise_refused", "what no rule allows is refused", nil)
	}
	if slices.ContainsFunc(slices.Concat(config.GetAllow(), config.GetDeny()), asksForRoles) {
		claims := config.GetRoleClaims()
		add("roles", "roles are those of the token's claims "+policy.List(claims, "and", strconv.Quote), claims)
	}
	return all
}

func asksForRoles(rule *policyv1.AclRule) bool {
	return len(rule.GetAnyRole())+len(rule.GetAllRoles())+len(rule.GetNoRole()) > 0
}

// admits returns what tells what the rules make of a caller.
func admits(config *policyv1.Acl) func(policy.Caller) policy.Admission {
	return func(caller policy.Caller) policy.Admission { return judge(config, caller) }
}

// judge tells what the rules make of a caller whose path isn't known.
func judge(config *policyv1.Acl, caller policy.Caller) policy.Admission {
	if caller.Consumer == "" {
		return policy.Never
	}
	switch anyOf(config.GetDeny(), caller) {
	case policy.Admits:
		return policy.Never
	case policy.Depends:
		return min(policy.Depends, allowed(config, caller))
	default:
		return allowed(config, caller)
	}
}

// allowed tells what the allow rules, and what holds where none speaks, make of a caller.
func allowed(config *policyv1.Acl, caller policy.Caller) policy.Admission {
	matches := anyOf(config.GetAllow(), caller)
	if matches == policy.Admits || config.GetOtherwise() != policyv1.Otherwise_OTHERWISE_ALLOW {
		return matches
	}
	spoken := policy.Never
	for _, rule := range config.GetAllow() {
		spoken = max(spoken, speaks(rule, caller.Method))
	}
	switch spoken {
	case policy.Never:
		return policy.Admits
	case policy.Depends:
		return policy.Depends
	default:
		return matches
	}
}

// anyOf tells whether one of some rules matches: Admits is that it does.
func anyOf(rules []*policyv1.AclRule, caller policy.Caller) policy.Admission {
	best := policy.Never
	for _, rule := range rules {
		best = max(best, min(speaks(rule, caller.Method), holds(rule, caller)))
	}
	return best
}

// speaks tells whether a rule speaks of a method, whatever the path.
func speaks(rule *policyv1.AclRule, method string) policy.Admission {
	switch {
	case len(rule.GetMethods()) > 0 && !slices.Contains(rule.GetMethods(), method):
		return policy.Never
	case len(rule.GetPaths()) > 0:
		return policy.Depends
	}
	return policy.Admits
}

// holds tells whether a rule's conditions on the caller hold.
func holds(rule *policyv1.AclRule, caller policy.Caller) policy.Admission {
	if ids := rule.GetConsumers(); len(ids) > 0 && !slices.Contains(ids, caller.Consumer) {
		return policy.Never
	}
	for _, label := range rule.GetLabels() {
		if value, has := caller.Labels[label.GetKey()]; !has || !slices.Contains(label.GetValues(), value) {
			return policy.Never
		}
	}
	if caller.Token {
		return ofToken(rule)
	}
	return ofKey(rule, caller.Scopes)
}

// ofToken is about a caller whose token nobody has seen: any condition on what it says depends on it.
func ofToken(rule *policyv1.AclRule) policy.Admission {
	scopes := len(rule.GetAnyScope()) + len(rule.GetAllScopes()) + len(rule.GetNoScope())
	if scopes+len(rule.GetClaims()) > 0 || asksForRoles(rule) {
		return policy.Depends
	}
	return policy.Admits
}

// ofKey is about a caller whose credential has these scopes, and says nothing else.
func ofKey(rule *policyv1.AclRule, scopes []string) policy.Admission {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	lacks := func(scope string) bool { return !has(scope) }
	switch {
	case len(rule.GetAnyScope()) > 0 && !slices.ContainsFunc(rule.GetAnyScope(), has),
		slices.ContainsFunc(rule.GetAllScopes(), lacks),
		slices.ContainsFunc(rule.GetNoScope(), has),
		len(rule.GetAnyRole()) > 0, len(rule.GetAllRoles()) > 0,
		slices.ContainsFunc(rule.GetClaims(), Insists):
		return policy.Never
	}
	return policy.Admits
}
