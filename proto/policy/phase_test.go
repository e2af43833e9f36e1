package policy

import (
	"slices"
	"testing"
)

func TestPhasesRunInTheirDocumentedOrder(t *testing.T) {
	var names []string
	for _, p := range Phases() {
		names = append(names, p.String())
	}
	want := []string{"guard", "authenticate", "authorize", "limit", "inspect", "cache", "transform"}
	if !slices.Equal(names, want) || !slices.IsSorted(Phases()) {
		t.Fatalf("got %v", names)
	}
}

func TestNoPhaseHasNoName(t *testing.T) {
	for _, p := range []Phase{0, Transform + 1, 255} {
		if p.Valid() || p.String() != "" {
			t.Errorf("%d is a phase", p)
		}
	}
}
