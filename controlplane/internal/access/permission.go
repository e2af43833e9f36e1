package access

import "slices"

// Permission is what an operation of the API needs, as its x-permission says: "<objects>.<verb>".
type Permission string

// Role is a named set of permissions.
type Role string

// RoleOwner may do everything.
const RoleOwner Role = "owner"

// Public is the permission of operations that anybody may use without a token.
const Public Permission = "public"

// permissions lists every permission that an operation may name, except Public.
var permissions = [...]Permission{
	"environments.read", "environments.write",
	"configuration.read", "configuration.write",
	"guardrails.read", "guardrails.write",
	"consumers.read", "consumers.write",
	"credentials.read", "credentials.write",
	"secrets.read", "secrets.write",
	"blocks.read", "blocks.write",
	"changes.write",
	"revisions.read", "revisions.rollback",
	"nodes.read", "nodes.write",
	"node-groups.read", "node-groups.write",
	"join-tokens.read", "join-tokens.write",
	"usage.read",
	"policy-kinds.read",
	"access-tokens.read", "access-tokens.write",
}

// Known tells whether an operation may name this permission. One that isn't known is held by no
// role, the owner included: a misspelt permission shuts an operation instead of opening it.
func Known(p Permission) bool {
	return p == Public || slices.Contains(permissions[:], p)
}

// Allows tells whether a role holds a permission. Anything that isn't listed is denied.
func Allows(role Role, p Permission) bool {
	switch role {
	case RoleOwner:
		return slices.Contains(permissions[:], p)
	default:
		return false
	}
}
