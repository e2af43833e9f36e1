package access

import (
	"math/bits"
	"slices"
	"strings"
)

// Permission is what an operation of the API needs, as its x-permission says: "<objects>.<verb>".
type Permission string

// Public is the permission of operations that anybody may use without a token.
const Public Permission = "public"

// SignedIn is the permission of operations that whoever is let in may use: they tell of nobody else.
const SignedIn Permission = "signed-in"

// Permissions that code asks for by name; operations name the others in the document.
const (
	ReadEnvironments   Permission = "environments.read"
	ReadConfiguration  Permission = "configuration.read"
	WriteConfiguration Permission = "configuration.write"
	ReadRoleBindings   Permission = "role-bindings.read"
	WriteRoleBindings  Permission = "role-bindings.write"
	ReadAccessTokens   Permission = "access-tokens.read"
	WriteAccessTokens  Permission = "access-tokens.write"
	Rollback           Permission = "revisions.rollback"
	WriteGuardrails    Permission = "guardrails.write"
	WriteExclusions    Permission = "waf-exclusions.write"
	// Impersonate lets make access tokens that belong to somebody else: who holds it can become anybody.
	Impersonate Permission = "users.impersonate"
	// ReportLeaks lets revoke API keys by their text, by whoever finds it where it shouldn't be.
	ReportLeaks Permission = "leaked-keys.write"
	// WriteRoles lets say what roles allow, wherever they are bound.
	WriteRoles Permission = "roles.write"
	// WriteRawRules lets give policies rules for the WAF in its own language, which may refuse and let pass anything. It is the option of fields.
	WriteRawRules Permission = "waf.raw_rules"
	// WriteSignInProviders lets say who signs in as whom.
	WriteSignInProviders Permission = "sign-in-providers.write"
)

// permissions lists every permission that an operation may name, except Public and SignedIn.
var permissions = [...]Permission{
	ReadEnvironments, "environments.write",
	ReadConfiguration, WriteConfiguration,
	"guardrails.read", WriteGuardrails,
	"waf-exclusions.read", WriteExclusions,
	"consumers.read", "consumers.write",
	"credentials.read", "credentials.write", ReportLeaks,
	"secrets.read", "secrets.write",
	"blocks.read", "blocks.write",
	"changes.write",
	"proposals.read", "proposals.write", "proposals.publish", "proposals.override",
	"revisions.read", Rollback,
	"nodes.read", "nodes.write",
	"node-groups.read", "node-groups.write",
	"join-tokens.read", "join-tokens.write",
	"usage.read",
	"explain.use",
	"policy-kinds.read",
	"teams.read", "teams.write",
	"users.read", "users.write", Impersonate,
	"roles.read", WriteRoles,
	ReadRoleBindings, WriteRoleBindings,
	ReadAccessTokens, WriteAccessTokens,
	"sign-in.read", "sign-in.write",
	"sign-in-providers.read", WriteSignInProviders,
	"audit-events.read",
	"events.read",
	"webhooks.read", "webhooks.write",
	WriteRawRules,
}

// Permissions returns every permission that can be held.
func Permissions() []Permission { return slices.Clone(permissions[:]) }

// Known tells whether an operation may name this permission. One that isn't known is held by no
// role, the owner included: a misspelt permission shuts an operation instead of opening it.
func Known(p Permission) bool {
	return p == Public || p == SignedIn || slices.Contains(permissions[:], p)
}

// reads tells whether a permission only lets look.
func (p Permission) reads() bool { return strings.HasSuffix(string(p), ".read") }

// collectionPermissions are those of collections that have their own: what lets read their objects, and what lets write them. Those of the
// configuration share one pair, but for guardrails (who is bound by them may not lift them) and for exclusions of the WAF: opening a hole in it
// is a job of its own, which doesn't take the right to change routes, nor comes with it.
var collectionPermissions = map[string][2]Permission{
	"consumers":      {"consumers.read", "consumers.write"},
	"api-keys":       {"credentials.read", "credentials.write"},
	"passwords":      {"credentials.read", "credentials.write"},
	"secrets":        {"secrets.read", "secrets.write"},
	"blocks":         {"blocks.read", "blocks.write"},
	"guardrails":     {"guardrails.read", WriteGuardrails},
	"waf-exclusions": {"waf-exclusions.read", WriteExclusions},
}

// ToRead returns the permission that lets read the objects of a collection; most of the configuration have one.
func ToRead(collection string) Permission {
	if p, ok := collectionPermissions[collection]; ok {
		return p[0]
	}
	return ReadConfiguration
}

// ToWrite returns the permission that lets write the objects of a collection; most of the configuration have one.
func ToWrite(collection string) Permission {
	if p, ok := collectionPermissions[collection]; ok {
		return p[1]
	}
	return WriteConfiguration
}

// Set is a set of permissions. The zero Set is empty.
type Set struct{ words [2]uint64 }

// places are where each permission stands in a Set.
var places = func() map[Permission]int {
	all := make(map[Permission]int, len(permissions))
	for i, p := range permissions {
		all[p] = i
	}
	return all
}()

// _ holds the list to what a Set has room for.
var _ [128 - len(permissions)]struct{}

// SetOf returns the set of these permissions. Those that aren't known are left out: an older build's, or a newer one's.
func SetOf(of ...Permission) Set {
	var s Set
	for _, p := range of {
		if at, ok := places[p]; ok {
			s.words[at/64] |= 1 << (at % 64)
		}
	}
	return s
}

// Has tells whether a permission is in the set.
func (s Set) Has(p Permission) bool {
	at, ok := places[p]
	return ok && s.words[at/64]&(1<<(at%64)) != 0
}

// And returns what is in both sets.
func (s Set) And(other Set) Set {
	return Set{[2]uint64{s.words[0] & other.words[0], s.words[1] & other.words[1]}}
}

// Or returns what is in either set.
func (s Set) Or(other Set) Set {
	return Set{[2]uint64{s.words[0] | other.words[0], s.words[1] | other.words[1]}}
}

// Without returns what is in s and not in other.
func (s Set) Without(other Set) Set {
	return Set{[2]uint64{s.words[0] &^ other.words[0], s.words[1] &^ other.words[1]}}
}

// Empty tells whether nothing is in the set.
func (s Set) Empty() bool { return s == Set{} }

// Len returns how many permissions are in the set.
func (s Set) Len() int { return bits.OnesCount64(s.words[0]) + bits.OnesCount64(s.words[1]) }

// List returns the permissions in the set, sorted.
func (s Set) List() []Permission {
	list := make([]Permission, 0, s.Len())
	for _, p := range &permissions {
		if s.Has(p) {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}
