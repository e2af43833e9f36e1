package exclusions_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/proto/id"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	here  = id.ID{1}
	there = id.ID{2}
)

func of(n byte, route id.ID, enforced bool, ends time.Time, target string, rules ...int) *exclusions.Exclusion {
	return &exclusions.Exclusion{
		ID: id.ID{n}, Route: route, Enforced: enforced, Ends: ends,
		Skip: exclusions.Skip{Rules: rules, Target: exclusions.Target{Part: "argument", Name: target}},
	}
}

func namesOf(skips []exclusions.Skip) []string {
	var names []string
	for _, s := range skips {
		names = append(names, s.Target.Name)
	}
	slices.Sort(names)
	return names
}

func TestExclusionsHoldOnTheirRouteUntilTheyEnd(t *testing.T) {
	t.Parallel()
	set := exclusions.NewSet([]*exclusions.Exclusion{
		of(1, here, true, noon.Add(time.Hour), "an hour", 942100),
		of(2, here, true, noon.Add(time.Minute), "a minute", 942100),
		of(3, here, true, noon.Add(time.Hour), "an hour too", 942101),
		of(4, here, false, noon.Add(time.Hour), "in shadow", 942100),
		of(5, there, true, noon.Add(time.Hour), "elsewhere", 942100),
	}, nil)
	for when, want := range map[time.Duration][]string{
		0:                             {"a minute", "an hour", "an hour too"},
		time.Minute - time.Nanosecond: {"a minute", "an hour", "an hour too"},
		time.Minute:                   {"an hour", "an hour too"},
		time.Hour:                     nil,
	} {
		if got := namesOf(set.On(here).Skipped(noon.Add(when))); !slices.Equal(got, want) {
			t.Errorf("after %v rules don't look at %v, want %v", when, got, want)
		}
	}
	if got := namesOf(set.On(id.ID{3}).Skipped(noon)); got != nil {
		t.Errorf("on a route without exclusions: %v", got)
	}
	if set := exclusions.NewSet(nil, nil); set != nil || set.On(here) != nil {
		t.Error("without exclusions there is a set")
	}
}

func TestAnExclusionInShadowIsNotedWhereItWouldHoldAndLetsNothingPass(t *testing.T) {
	t.Parallel()
	counters := new(exclusions.Counters)
	on := exclusions.NewSet([]*exclusions.Exclusion{
		of(1, here, false, noon.Add(time.Hour), "comment", 942100, 942110),
		of(2, here, true, noon.Add(time.Hour), "title", 942100),
	}, counters).On(here)
	argument := func(name string) exclusions.Target { return exclusions.Target{Part: "argument", Name: name} }
	for name, tt := range map[string]struct {
		rule  int
		at    exclusions.Target
		when  time.Time
		noted bool
	}{
		"its rule, its target":          {942100, argument("comment"), noon, true},
		"its target in other letters":   {942110, argument("Comment"), noon, true},
		"another rule":                  {942120, argument("comment"), noon, false},
		"another argument":              {942100, argument("name"), noon, false},
		"another part of the same name": {942100, exclusions.Target{Part: "cookie", Name: "comment"}, noon, false},
		"an enforced one's target":      {942100, argument("title"), noon, false},
		"after its end":                 {942100, argument("comment"), noon.Add(time.Hour), false},
	} {
		by, noted := on.Find(tt.when, tt.rule, tt.at)
		if noted != tt.noted || noted && by != (id.ID{1}) {
			t.Errorf("%s: noted %t by %v, want %t", name, noted, by, tt.noted)
		}
	}
	if counters.Noted() != 0 {
		t.Error("a dry look is counted")
	}
	for _, s := range on.Skipped(noon) {
		if s.Target.Name == "comment" {
			t.Error("an exclusion in shadow lets pass")
		}
	}
	on.Noted(noon, 942100, argument("comment"))
	on.Noted(noon, 942100, argument("name"))
	on.Opened()
	if counters.Noted() != 1 || counters.Opened() != 1 {
		t.Errorf("counted are %d findings and %d requests, want 1 and 1", counters.Noted(), counters.Opened())
	}
}

func TestATargetCoversWhatLiesWithinIt(t *testing.T) {
	t.Parallel()
	all, each, one := exclusions.Target{}, exclusions.Target{Part: "header", Name: "*"}, exclusions.Target{Part: "header", Name: "X-Query"}
	items, item := exclusions.Target{Part: "header", Name: "json.items.*.note"}, exclusions.Target{Part: "header", Name: "json.Items.17.note"}
	for _, tt := range []struct {
		outer, inner exclusions.Target
		want         bool
	}{
		{items, item, true},
		{items, exclusions.Target{Part: "header", Name: "json.items.1.2.note"}, false},
		{items, exclusions.Target{Part: "header", Name: "json.items.1.notes"}, false},
		{exclusions.Target{Part: "header", Name: "a*b*"}, exclusions.Target{Part: "header", Name: "axbab"}, true},
		{exclusions.Target{Part: "header", Name: "a*b"}, exclusions.Target{Part: "header", Name: "a.b"}, false},
		{all, one, true},
		{each, one, true},
		{one, one, true},
		{one, each, false},
		{exclusions.Target{Part: "header"}, one, true},
		{each, exclusions.Target{Part: "cookie"}, false},
	} {
		if got := tt.outer.Covers(tt.inner); got != tt.want {
			t.Errorf("%v covers %v: %t", tt.outer, tt.inner, got)
		}
	}
}

func TestLookingAtExclusionsAllocatesNothing(t *testing.T) {
	set := exclusions.NewSet([]*exclusions.Exclusion{
		of(1, here, true, noon.Add(time.Hour), "a", 942100), of(2, here, true, noon.Add(-time.Hour), "b", 942100),
		of(3, here, false, noon.Add(time.Hour), "c", 942100),
	}, new(exclusions.Counters))
	var none *exclusions.Set
	at := exclusions.Target{Part: "argument", Name: "c"}
	if n := testing.AllocsPerRun(100, func() {
		_ = none.On(here).Skipped(noon)
		_ = set.On(there).Skipped(noon)
		on := set.On(here)
		_ = on.Skipped(noon)
		on.Noted(noon, 942100, at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
