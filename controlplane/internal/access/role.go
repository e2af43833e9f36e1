package access

// Role names a set of permissions: one that is built in, or one that somebody made (by id).
type Role string

// The roles that are built in.
const (
	// RoleOwner may do everything.
	RoleOwner Role = "owner"
	// RoleAdmin may do everything but become somebody else, or say what roles allow or who signs in; so nobody but an owner makes owners.
	RoleAdmin Role = "admin"
	// RoleProductManager makes APIs and lets consumers in.
	RoleProductManager Role = "product-manager"
	// RoleOperator runs the fleet: nodes, blocks, rollbacks. It reads all.
	RoleOperator Role = "operator"
	// RoleAuditor reads everything and writes nothing.
	RoleAuditor Role = "auditor"
	// RoleViewer reads what is configured and what was used.
	RoleViewer Role = "viewer"
	// RoleDeveloper uses what a team has: reads its configuration, makes keys for its consumers.
	RoleDeveloper Role = "developer"
)

// builtIn is what each built-in role is.
type builtIn struct {
	role        Role
	description string
	permissions Set
}

var builtIns = []builtIn{
	{RoleOwner, "May do everything.", everything},
	{
		RoleAdmin, "May do everything but become somebody else, say what roles allow, and say who signs in as whom.",
		everything.Without(SetOf(Impersonate, WriteRoles, WriteSignInProviders)),
	},
	{RoleProductManager, "Makes APIs: configuration, consumers, credentials and proposals.", SetOf(
		ReadEnvironments, ReadConfiguration, WriteConfiguration, "guardrails.read", "waf-exclusions.read", WriteExclusions, "explain.use", "consumers.read", "consumers.write", "credentials.read", "credentials.write",
		"secrets.read", "blocks.read", ReportLeaks, "changes.write", "proposals.read", "proposals.write", "proposals.publish", "revisions.read",
		"usage.read", "policy-kinds.read", "teams.read", "events.read",
	)},
	{RoleOperator, "Runs the fleet: nodes, join tokens, blocks, exclusions of the WAF and rollbacks. Reads everything.", reading.Or(SetOf(
		"nodes.write", "node-groups.write", "join-tokens.write", "blocks.write", ReportLeaks, "changes.write", Rollback, "explain.use", "webhooks.write", WriteExclusions,
	))},
	{RoleAuditor, "Reads everything, writes nothing.", reading},
	{RoleViewer, "Reads the configuration and what was used of it.", SetOf(
		ReadEnvironments, ReadConfiguration, "guardrails.read", "waf-exclusions.read", "revisions.read", "usage.read", "policy-kinds.read", "teams.read",
	)},
	{RoleDeveloper, "Reads a team's configuration, makes keys for its consumers, and reads proposals.", SetOf(
		ReadEnvironments, ReadConfiguration, "waf-exclusions.read", "consumers.read", "credentials.read", "credentials.write", "changes.write",
		"proposals.read", "usage.read", "policy-kinds.read", "teams.read",
	)},
}

var (
	everything = SetOf(permissions[:]...)
	reading    = func() Set {
		var s Set
		for _, p := range permissions {
			if p.reads() {
				s = s.Or(SetOf(p))
			}
		}
		return s
	}()
)

// Everything is every permission that there is.
func Everything() Set { return everything }

// BuiltIn returns what a built-in role allows; nothing, and false, of any other.
func BuiltIn(role Role) (Set, bool) {
	for _, b := range builtIns {
		if b.role == role {
			return b.permissions, true
		}
	}
	return Set{}, false
}

// BuiltInRoles returns the roles that are built in, the mightiest first.
func BuiltInRoles() []Role {
	roles := make([]Role, len(builtIns))
	for i, b := range builtIns {
		roles[i] = b.role
	}
	return roles
}
