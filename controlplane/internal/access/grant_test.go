package access

import (
	"slices"
	"testing"
)

func TestASetHoldsWhatItWasMadeOf(t *testing.T) {
	for i, p := range permissions {
		s := SetOf(p)
		if !s.Has(p) || s.Len() != 1 || s.Empty() || !slices.Equal(s.List(), []Permission{p}) {
			t.Errorf("%d: %s makes %v", i, p, s.List())
		}
		if rest := everything.Without(s); rest.Has(p) || rest.Len() != len(permissions)-1 {
			t.Errorf("without %s there are %d", p, rest.Len())
		}
	}
	if s := SetOf("environments.raed", Public, SignedIn, ""); !s.Empty() {
		t.Errorf("what isn't known makes %v", s.List())
	}
}

func TestGrantsHoldWhereTheyAreBoundAndNowhereElse(t *testing.T) {
	const p = ReadConfiguration
	read := SetOf(p)
	tests := map[string]struct {
		grants               Grants
		globally, throughout bool
		bounds               Bounds
		reach                bool
	}{
		"nothing":             {nil, false, false, Bounds{}, false},
		"everywhere":          {Grants{{Permissions: read}}, true, true, Bounds{Whole: true}, true},
		"here":                {Grants{{Environment: "here", Permissions: read}}, false, true, Bounds{Whole: true}, true},
		"elsewhere":           {Grants{{Environment: "there", Permissions: read}}, false, false, Bounds{}, false},
		"a team":              {Grants{{Environment: "here", Team: "a", Permissions: read}}, false, false, Bounds{Teams: []string{"a"}}, true},
		"a team elsewhere":    {Grants{{Environment: "there", Team: "a", Permissions: read}}, false, false, Bounds{}, false},
		"teams":               {Grants{{Environment: "here", Team: "b", Permissions: read}, {Environment: "here", Team: "a", Permissions: read}, {Environment: "here", Team: "b", Permissions: read}}, false, false, Bounds{Teams: []string{"a", "b"}}, true},
		"something else":      {Grants{{Environment: "here", Permissions: SetOf("usage.read")}}, false, false, Bounds{}, true},
		"nothing at all here": {Grants{{Environment: "here"}}, false, false, Bounds{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := tt.grants
			if g.Globally(p) != tt.globally || g.Throughout("here", p) != tt.throughout || g.Reach("here") != tt.reach {
				t.Errorf("globally %v, throughout %v, reach %v", g.Globally(p), g.Throughout("here", p), g.Reach("here"))
			}
			if b := g.Within("here", p); b.Whole != tt.bounds.Whole || !slices.Equal(b.Teams, tt.bounds.Teams) {
				t.Errorf("within %+v", b)
			}
		})
	}
}

func TestAScopeOnlyNarrows(t *testing.T) {
	held := Grants{{Permissions: SetOf("usage.read", "nodes.read")}, {Environment: "here", Team: "a", Permissions: SetOf(WriteConfiguration)}, {Environment: "there", Permissions: SetOf("blocks.write")}}
	for _, s := range []Scope{{}, {Environment: "here"}, {Environment: "nowhere"}, {Permissions: []Permission{"usage.read"}}, {Environment: "there", Permissions: []Permission{"blocks.write", "secrets.write"}}, {Permissions: []Permission{"unknown.read"}}} {
		if narrow := held.narrowed(s); !held.CoverAll(narrow) {
			t.Errorf("%+v gives %+v", s, narrow)
		}
	}
	if n := held.narrowed(Scope{Environment: "here"}); n.Globally("usage.read") || !n.Throughout("here", "usage.read") || n.Throughout("there", "usage.read") || n.Reach("there") {
		t.Errorf("narrowed to an environment: %+v", n)
	}
	if n := held.narrowed(Scope{Permissions: []Permission{"unknown.read"}}); len(n) != 0 {
		t.Errorf("narrowed to what nobody knows: %+v", n)
	}
}

func TestAScopeLiesWithinAnotherThatNarrowsNoMore(t *testing.T) {
	wide := Scope{Permissions: []Permission{"a", "b"}}
	for _, tt := range []struct {
		s, other Scope
		want     bool
	}{
		{Scope{}, Scope{}, true},
		{Scope{Environment: "x"}, Scope{}, true},
		{Scope{}, Scope{Environment: "x"}, false},
		{Scope{Environment: "y"}, Scope{Environment: "x"}, false},
		{Scope{}, wide, false},
		{Scope{Permissions: []Permission{"a"}}, wide, true},
		{Scope{Permissions: []Permission{"a", "c"}}, wide, false},
	} {
		if got := tt.s.within(tt.other); got != tt.want {
			t.Errorf("%+v within %+v: %v", tt.s, tt.other, got)
		}
	}
}

// BenchmarkPermissionCheck is what admission costs once the token was looked up: whether an environment is reached, and for what of
// it the permission is held. The last of many grants decides.
func BenchmarkPermissionCheck(b *testing.B) {
	var grants Grants
	for range maxBindings - 1 {
		grants = append(grants, Grant{Environment: "env_01k00000000000000000000001", Team: "team_01k00000000000000000000001", Permissions: reading})
	}
	grants = append(grants, Grant{Environment: "env_01k00000000000000000000002", Permissions: everything})
	for name, held := range map[string]Grants{"one grant": grants[len(grants)-1:], "256 grants": grants} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !held.Reach("env_01k00000000000000000000002") || !held.Within("env_01k00000000000000000000002", WriteConfiguration).Whole {
					b.Fatal("not held")
				}
			}
		})
	}
}
