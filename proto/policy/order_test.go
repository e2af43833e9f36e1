package policy

import (
	"slices"
	"testing"
)

type placed Place

func (p placed) Place() Place { return Place(p) }

func names(all []placed) []string {
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

func TestPoliciesRunByPhaseThenPreflightsThenLevelPositionAndName(t *testing.T) {
	plain, first := Kind{Name: "plain", Merges: true, Traits: Traits{Decides: true}}, Kind{Name: "first", Merges: true, Traits: Traits{Decides: true, Preflights: true}}
	all := []placed{
		{Kind: plain, Phase: Limit, Name: "limit"},
		{Kind: plain, Phase: Guard, Level: Route, Name: "route"},
		{Kind: plain, Phase: Guard, Position: 2, Name: "a"},
		{Kind: plain, Phase: Guard, Position: -1, Name: "z"},
		{Kind: plain, Phase: Guard, Position: 2, Name: "b"},
		{Kind: first, Phase: Guard, Level: Route, Name: "preflights"},
		{Kind: plain, Phase: Guard, Name: "off", Off: true},
	}
	if got := names(Running(all)); !slices.Equal(got, []string{"preflights", "z", "a", "b", "route", "limit"}) {
		t.Errorf("got %v", got)
	}
}

func TestAFallbackRunsLastInItsPhaseWhereverItIsAttached(t *testing.T) {
	plain, fallback := Kind{Name: "plain"}, Kind{Name: "fallback", Traits: Traits{Fallback: true}}
	all := []placed{
		{Kind: fallback, Phase: Authenticate, Position: -5, Name: "anybody"},
		{Kind: plain, Phase: Authenticate, Level: Route, Position: 5, Name: "key"},
		{Kind: Kind{Name: "other"}, Phase: Authenticate, Level: Route, Name: "token"},
		{Kind: Kind{Name: "limit"}, Phase: Limit, Name: "limit"},
	}
	if got := names(Running(all)); !slices.Equal(got, []string{"token", "key", "anybody", "limit"}) {
		t.Errorf("got %v", got)
	}
}

func TestWhatIsDearRunsBehindAllOthersOfItsPhase(t *testing.T) {
	plain, dear := Kind{Name: "plain", Merges: true}, Kind{Name: "dear", Traits: Traits{Decides: true, Dear: true}}
	all := []placed{
		{Kind: dear, Phase: Inspect, Position: -5, Name: "engine"},
		{Kind: plain, Phase: Inspect, Level: Route, Position: 5, Name: "cheap"},
		{Kind: plain, Phase: Transform, Name: "later"},
	}
	if got := names(Running(all)); !slices.Equal(got, []string{"cheap", "engine", "later"}) {
		t.Errorf("got %v", got)
	}
}

func TestWhatIsOffKeepsOthersFromRunning(t *testing.T) {
	kind := Kind{Name: "one", Traits: Traits{Decides: true}}
	all := []placed{{Kind: kind, Phase: Guard, Name: "everywhere"}, {Kind: kind, Phase: Guard, Level: Route, Name: "not here", Off: true}}
	if got := names(Running(all)); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	all[0].Final = true
	if got := names(Running(all)); !slices.Equal(got, []string{"everywhere"}) {
		t.Errorf("got %v", got)
	}
}
