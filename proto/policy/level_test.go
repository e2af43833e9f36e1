package policy

import "testing"

func TestTheMostSpecificLevelWinsUnlessAHigherOneIsFinal(t *testing.T) {
	type attached struct {
		level Level
		final bool
	}
	tests := []struct {
		name  string
		all   []attached
		want  Level
		found bool
	}{
		{"none", nil, Environment, false},
		{"one", []attached{{Service, false}}, Service, true},
		{"specific beats general", []attached{{Environment, false}, {Route, false}, {Service, false}}, Route, true},
		{"final above beats specific", []attached{{Route, false}, {Environment, true}}, Environment, true},
		{"the most general of two final", []attached{{Route, true}, {Service, true}}, Service, true},
		{"the most general of two final, in the other order", []attached{{Service, true}, {Route, true}}, Service, true},
		{"final below a plain one", []attached{{Environment, false}, {Service, true}, {Route, false}}, Service, true},
		{"a consumer's beats a route's", []attached{{Route, false}, {Consumer, false}, {Environment, false}}, Consumer, true},
		{"a route's final beats a consumer's", []attached{{Route, true}, {Consumer, true}}, Route, true},
		{"final after the specific", []attached{{Route, false}, {Service, false}, {Service, true}}, Service, true},
	}
	for _, tt := range tests {
		level, found := Winner(func(yield func(Level, bool) bool) {
			for _, a := range tt.all {
				if !yield(a.level, a.final) {
					return
				}
			}
		})
		if level != tt.want || found != tt.found {
			t.Errorf("%s: %d, %v, want %d, %v", tt.name, level, found, tt.want, tt.found)
		}
	}
}

func TestAppliesFollowsWhatTheKindDoesOnSeveralLevels(t *testing.T) {
	type attached struct {
		level Level
		final bool
	}
	const wins, hurdle, change = 0, 1, 2
	kinds := map[int]Kind{wins: {}, hurdle: {Merges: true, Traits: Traits{Decides: true}}, change: {Merges: true}}
	tests := []struct {
		name string
		kind int
		all  []attached
		want [Levels]bool
	}{
		{"one wins", wins, []attached{{Environment, false}, {Route, false}}, [Levels]bool{Route: true}},
		{"final wins", wins, []attached{{Environment, true}, {Consumer, false}}, [Levels]bool{Environment: true}},
		{"hurdles add up", hurdle, []attached{{Environment, true}, {Consumer, false}}, [Levels]bool{true, true, true, true}},
		{"changes add up", change, []attached{{Environment, false}, {Consumer, true}}, [Levels]bool{true, true, true, true}},
		{"a final change is the last", change, []attached{{Consumer, false}, {Route, true}, {Service, true}, {Environment, false}}, [Levels]bool{true, true, false, false}},
	}
	for _, tt := range tests {
		for level := range Consumer + 1 {
			got := kinds[tt.kind].Applies(level, func(yield func(Level, bool) bool) {
				for _, a := range tt.all {
					if !yield(a.level, a.final) {
						return
					}
				}
			})
			if got != tt.want[level] {
				t.Errorf("%s: on level %d it says %v", tt.name, level, got)
			}
		}
	}
}

func TestOnlyWhatRunsBehindAuthenticateMayOverlay(t *testing.T) {
	for _, p := range Phases() {
		if MayOverlay(p) == (p == Guard || p == Authenticate) {
			t.Errorf("%s: %v", p, MayOverlay(p))
		}
	}
}
