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
