package access

import "slices"

// Grant is what somebody may do somewhere.
type Grant struct {
	// Binding is the role binding's id; "": a token's own role, or what the control plane does by itself.
	Binding string
	// Role is its name.
	Role string
	// Environment is its id; "": everywhere, and what belongs to no environment.
	Environment string
	// Team is the id of the team of the environment whose objects alone it is for; "": all of them.
	Team string
	// Permissions are what may be done there.
	Permissions Set
}

// Grants are all that somebody may do. No grants, no permission.
type Grants []Grant

// reaches tells whether a grant is for the environment, or a part of it.
func (g *Grant) reaches(environment string) bool {
	return g.Environment == "" || g.Environment == environment
}

// Globally tells whether a permission is held for what belongs to no environment.
func (gs Grants) Globally(p Permission) bool {
	for i := range gs {
		if gs[i].Environment == "" && gs[i].Team == "" && gs[i].Permissions.Has(p) {
			return true
		}
	}
	return false
}

// Anywhere tells whether a permission is held for anything at all.
func (gs Grants) Anywhere(p Permission) bool {
	return slices.ContainsFunc(gs, func(g Grant) bool { return g.Permissions.Has(p) })
}

// Throughout tells whether a permission is held for the whole of an environment.
func (gs Grants) Throughout(environment string, p Permission) bool {
	for i := range gs {
		if gs[i].Team == "" && gs[i].reaches(environment) && gs[i].Permissions.Has(p) {
			return true
		}
	}
	return false
}

// Within tells for what of an environment a permission is held: for all of it, or for the objects of these teams.
func (gs Grants) Within(environment string, p Permission) Bounds {
	if gs.Throughout(environment, p) {
		return Bounds{Whole: true}
	}
	var b Bounds
	for i := range gs {
		if gs[i].Team != "" && gs[i].Environment == environment && gs[i].Permissions.Has(p) && !slices.Contains(b.Teams, gs[i].Team) {
			b.Teams = append(b.Teams, gs[i].Team)
		}
	}
	slices.Sort(b.Teams)
	return b
}

// Reach tells whether anything at all may be done in an environment: to whom nothing is allowed there, it isn't there.
func (gs Grants) Reach(environment string) bool {
	return slices.ContainsFunc(gs, func(g Grant) bool { return g.reaches(environment) && !g.Permissions.Empty() })
}

// Environments returns the ids of the environments for which, or for a team of which, a permission is held; all: it is held for
// whatever environment.
func (gs Grants) Environments(p Permission) (ids []string, all bool) {
	for i := range gs {
		switch g := &gs[i]; {
		case !g.Permissions.Has(p):
		case g.Environment == "":
			return nil, true
		case !slices.Contains(ids, g.Environment):
			ids = append(ids, g.Environment)
		}
	}
	return ids, false
}

// Cover tells whether all that a grant allows is held, where it allows it.
func (gs Grants) Cover(g Grant) bool {
	var held Set
	for i := range gs {
		has := &gs[i]
		wider := has.Environment == "" && has.Team == "" || has.Environment == g.Environment && (has.Team == "" || has.Team == g.Team)
		if wider {
			held = held.Or(has.Permissions)
		}
	}
	return g.Permissions.Without(held).Empty()
}

// CoverAll tells whether each of the grants is covered.
func (gs Grants) CoverAll(others Grants) bool {
	return !slices.ContainsFunc(others, func(g Grant) bool { return !gs.Cover(g) })
}

// narrowed returns the grants as far as a scope lets them be used.
func (gs Grants) narrowed(s Scope) Grants {
	if s.Environment == "" && len(s.Permissions) == 0 {
		return gs
	}
	narrow := make(Grants, 0, len(gs))
	for _, g := range gs {
		if s.Environment != "" {
			if !g.reaches(s.Environment) {
				continue
			}
			g.Environment = s.Environment
		}
		if len(s.Permissions) > 0 {
			g.Permissions = g.Permissions.And(SetOf(s.Permissions...))
		}
		if !g.Permissions.Empty() {
			narrow = append(narrow, g)
		}
	}
	return narrow
}

// Bounds are for what of an environment a permission is held. The zero Bounds: for nothing.
type Bounds struct {
	Whole bool     // all of the environment
	Teams []string // else: the objects of these teams, by id, sorted
}

// Any tells whether the permission is held for anything.
func (b Bounds) Any() bool { return b.Whole || len(b.Teams) > 0 }

// Sees tells whether an object of a team ("": of none) is within the bounds.
func (b Bounds) Sees(team string) bool {
	return b.Whole || team != "" && slices.Contains(b.Teams, team)
}

// And returns what is within both bounds.
func (b Bounds) And(other Bounds) Bounds {
	switch {
	case b.Whole:
		return other
	case other.Whole:
		return b
	}
	return Bounds{Teams: slices.DeleteFunc(slices.Clone(b.Teams), func(team string) bool { return !other.Sees(team) })}
}

// Scope narrows what a token can be used for. The zero Scope narrows nothing.
type Scope struct {
	Environment string       // id; "": wherever
	Permissions []Permission // none: all
}

// within tells whether a scope narrows at least as much as another.
func (s Scope) within(other Scope) bool {
	if other.Environment != "" && s.Environment != other.Environment {
		return false
	}
	if len(other.Permissions) == 0 {
		return true
	}
	return len(s.Permissions) > 0 && !slices.ContainsFunc(s.Permissions, func(p Permission) bool { return !slices.Contains(other.Permissions, p) })
}
