package main

// book is what the template of a collection of what access is decided by is rendered with.
type book struct {
	Name        string // "role-bindings"
	Path        string // of the collection
	Environment bool   // the path names one
	One, Many   string // in operation ids: "RoleBinding", "RoleBindings"
	Words       string // "role binding"
	Plural      string // "role bindings"
	About       string // creating one
	// Where a permission may be held, as x-binding says; "": everywhere, or throughout the environment.
	ReadBinding, WriteBinding string
}

// books returns every collection of what access is decided by.
func books() []book {
	return []book{
		{Name: "users", Path: "/api/v1/users", One: "User", Many: "Users", Words: "user", Plural: "users", ReadBinding: "any"},
		{
			Name: "teams", Path: "/api/v1/environments/{environment}/teams", Environment: true, One: "Team", Many: "Teams", Words: "team", Plural: "teams",
			ReadBinding: "team",
		},
		{
			Name: "roles", Path: "/api/v1/roles", One: "Role", Many: "Roles", Words: "role", Plural: "roles", ReadBinding: "any",
			About: "A role allows nothing that its maker may not do everywhere.",
		},
		{
			Name: "role-bindings", Path: "/api/v1/role-bindings", One: "RoleBinding", Many: "RoleBindings", Words: "role binding", Plural: "role bindings",
			ReadBinding: "any", WriteBinding: "any", About: "Nobody gives, changes or takes what they may not do themselves in the same place.",
		},
		{
			Name: "sign-in-providers", Path: "/api/v1/sign-in-providers", One: "SignInProvider", Many: "SignInProviders", Words: "sign-in provider",
			Plural: "sign-in providers", About: "A provider decides who signs in as whom, which takes every permission, everywhere.",
		},
	}
}
