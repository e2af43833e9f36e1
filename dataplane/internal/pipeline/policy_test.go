package pipeline

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/proto/policy"
)

// named returns a policy of a kind at a level.
func named(name string, kind policy.Kind, level policy.Level, change func(*Policy)) Attached {
	p := &Policy{Name: name, Kind: kind, Phase: policy.Authenticate, Mode: Enforce}
	if change != nil {
		change(p)
	}
	return Attached{Policy: p, Level: level}
}

func TestPoliciesOfSeveralLevelsAreMergedAndOrdered(t *testing.T) {
	single := policy.Kind{Name: "single"}
	other := policy.Kind{Name: "other"}
	merging := policy.Kind{Name: "merging", Merges: true, Traits: policy.Traits{Decides: true}}
	changing := policy.Kind{Name: "changing", Merges: true}
	final := func(p *Policy) { p.Final = true }
	off := func(p *Policy) { p.Mode = Off }
	shadow := func(p *Policy) { p.Mode = Shadow }
	shadowFinal := func(p *Policy) { p.Mode, p.Final = Shadow, true }
	offFinal := func(p *Policy) { p.Mode, p.Final = Off, true }
	at := func(phase policy.Phase, position int32) func(*Policy) {
		return func(p *Policy) { p.Phase, p.Position = phase, position }
	}
	both := named("both", merging, policy.Environment, nil)
	for name, test := range map[string]struct {
		all  []Attached
		want []string
	}{
		"the most specific wins": {[]Attached{
			named("e", single, policy.Environment, nil), named("s", single, policy.Service, nil), named("r", single, policy.Route, nil),
		}, []string{"r"}},
		"service before environment": {[]Attached{named("e", single, policy.Environment, nil), named("s", single, policy.Service, nil)}, []string{"s"}},
		"all of the level that wins": {[]Attached{
			named("e", single, policy.Environment, nil), named("r2", single, policy.Route, nil), named("r1", single, policy.Route, nil),
		}, []string{"r1", "r2"}},
		"kinds don't concern each other": {[]Attached{named("e", single, policy.Environment, nil), named("r", other, policy.Route, nil)}, []string{"e", "r"}},
		"final isn't replaced":           {[]Attached{named("e", single, policy.Environment, final), named("r", single, policy.Route, nil)}, []string{"e"}},
		"the highest final wins": {[]Attached{
			named("e", single, policy.Environment, nil), named("s", single, policy.Service, final), named("r", single, policy.Route, final),
		}, []string{"s"}},
		"final in shadow isn't replaced": {[]Attached{named("e", single, policy.Environment, shadowFinal), named("r", single, policy.Route, nil)}, []string{"e"}},
		"final and off isn't replaced":   {[]Attached{named("e", single, policy.Environment, offFinal), named("r", single, policy.Route, nil)}, nil},
		"off replaces":                   {[]Attached{named("e", single, policy.Environment, nil), named("r", single, policy.Route, off)}, nil},
		"off doesn't replace final":      {[]Attached{named("e", single, policy.Environment, final), named("r", single, policy.Route, off)}, []string{"e"}},
		"shadow replaces":                {[]Attached{named("e", single, policy.Environment, nil), named("r", single, policy.Route, shadow)}, []string{"r"}},
		"merging ones all apply":         {[]Attached{named("r", merging, policy.Route, nil), named("s", merging, policy.Service, nil), named("e", merging, policy.Environment, nil)}, []string{"e", "s", "r"}},
		"merging: off alone is left out": {[]Attached{named("e", merging, policy.Environment, nil), named("r", merging, policy.Route, off)}, []string{"e"}},
		"merging: final changes nothing": {[]Attached{named("e", merging, policy.Environment, final), named("r", merging, policy.Route, nil)}, []string{"e", "r"}},
		"changing ones all apply":        {[]Attached{named("r", changing, policy.Route, nil), named("e", changing, policy.Environment, nil)}, []string{"e", "r"}},
		"changing: final is the last":    {[]Attached{named("r", changing, policy.Route, nil), named("s", changing, policy.Service, final), named("e", changing, policy.Environment, nil)}, []string{"e", "s"}},
		"one policy on two levels, once": {[]Attached{{both.Policy, policy.Route}, both}, []string{"both"}},
		"phase, level, position, name": {[]Attached{
			named("limit", merging, policy.Environment, at(policy.Limit, -9)),
			named("route", merging, policy.Route, at(policy.Guard, -9)),
			named("b", merging, policy.Environment, at(policy.Guard, 1)),
			named("a", merging, policy.Environment, at(policy.Guard, 1)),
			named("first", merging, policy.Environment, at(policy.Guard, -1)),
		}, []string{"first", "a", "b", "route", "limit"}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				var got []string
				for _, a := range Effective(test.all) {
					got = append(got, a.Name)
				}
				if !slices.Equal(got, test.want) {
					t.Fatalf("%v, not %v", got, test.want)
				}
				slices.Reverse(test.all) // the order in which they come must not matter
			}
		})
	}
}
