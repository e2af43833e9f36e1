package acl

import (
	"fmt"
	"strconv"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// sentence says a rule in words, without its end: verb is "pass for" or "are refused to".
func sentence(rule *policyv1.AclRule, verb string, names policy.Names) string {
	return fmt.Sprintf("%s %s %s", requests(rule), verb, who(rule, names))
}

// requests says which requests a rule speaks of.
func requests(rule *policyv1.AclRule) string {
	text := "requests"
	if methods := rule.GetMethods(); len(methods) > 0 {
		text = policy.List(methods, "and", policy.Bare) + " requests"
	}
	if paths := rule.GetPaths(); len(paths) > 0 {
		text += " for " + policy.List(paths, "or", strconv.Quote)
	}
	return text
}

// who says whom a rule is about.
func who(rule *policyv1.AclRule, names policy.Names) string {
	var parts []string
	if ids := rule.GetConsumers(); len(ids) > 0 {
		parts = append(parts, "who are "+policy.List(ids, "or", func(id string) string { return strconv.Quote(names(id)) }))
	}
	for _, label := range rule.GetLabels() {
		parts = append(parts, fmt.Sprintf("whose label %q is %s", label.GetKey(), policy.List(label.GetValues(), "or", strconv.Quote)))
	}
	parts = appendHeld(parts, "scope", rule.GetAnyScope(), rule.GetAllScopes(), rule.GetNoScope())
	parts = appendHeld(parts, "role", rule.GetAnyRole(), rule.GetAllRoles(), rule.GetNoRole())
	for _, claim := range rule.GetClaims() {
		parts = append(parts, claimed(claim)...)
	}
	if rule.GetEveryConsumer() {
		return strings.Join(append([]string{"every consumer"}, parts...), ", ")
	}
	return "consumers " + strings.Join(parts, " and ")
}

// appendHeld says which scopes or roles callers have, and which they don't.
func appendHeld(parts []string, what string, some, all, none []string) []string {
	if len(some) > 0 {
		parts = append(parts, fmt.Sprintf("with the %s %s", what, policy.List(some, "or", strconv.Quote)))
	}
	if len(all) > 0 {
		parts = append(parts, fmt.Sprintf("with the %s %s", plural(what, len(all)), policy.List(all, "and", strconv.Quote)))
	}
	if len(none) > 0 {
		parts = append(parts, fmt.Sprintf("without the %s %s", what, policy.List(none, "or", strconv.Quote)))
	}
	return parts
}

// claimed says what one claim must be.
func claimed(claim *policyv1.ClaimMatch) []string {
	var parts []string
	about := fmt.Sprintf("whose claim %q ", claim.GetClaim())
	if Absent(claim) {
		return []string{fmt.Sprintf("without the claim %q", claim.GetClaim())}
	}
	if claim.GetExists() && len(claim.GetAnyOf())+len(claim.GetAllOf()) == 0 {
		parts = append(parts, fmt.Sprintf("with the claim %q", claim.GetClaim()))
	}
	if values := claim.GetAnyOf(); len(values) > 0 {
		parts = append(parts, about+"is or has "+policy.List(values, "or", strconv.Quote))
	}
	if values := claim.GetAllOf(); len(values) > 0 {
		parts = append(parts, about+"has "+policy.List(values, "and", strconv.Quote))
	}
	if values := claim.GetNoneOf(); len(values) > 0 {
		parts = append(parts, about+"neither is nor has "+policy.List(values, "or", strconv.Quote))
	}
	return parts
}

func plural(what string, n int) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

// unnamed is for who has no names to give.
func unnamed(id string) string { return id }
