package scenarios

import (
	"slices"
	"testing"
)

func TestAMeasuredGatewayHasItsProcessorToItself(t *testing.T) {
	for _, available := range [][]int{{0, 1}, {2, 5, 7}, {0, 1, 2, 3}} {
		l, err := layOut(available)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.gateway) != 1 || len(l.wide) != 2 || len(l.clients) == 0 || slices.Contains(l.clients, l.gateway[0]) {
			t.Errorf("of %v: %+v", available, l)
		}
		if len(available) > 2 && slices.Contains(l.clients, l.wide[1]) {
			t.Errorf("of %v clients share the second processor: %+v", available, l)
		}
	}
	for _, available := range [][]int{nil, {3}} {
		if l, err := layOut(available); err == nil {
			t.Errorf("of %v: %+v", available, l)
		}
	}
}
