//go:build !race

package cel_test

import "testing"

// Under the race detector pools forget at random, so that what they lend is made anew.
func TestAUsualExpressionAllocatesNoMoreThanTheTextsItLooksAt(t *testing.T) {
	ex := exchange(t)
	for expression, most := range usual {
		stage := stageOf(t, expression)
		if n := testing.AllocsPerRun(200, func() {
			if err := stage.Request(ex); err != nil {
				t.Fatal(expression, err)
			}
		}); n > most {
			t.Errorf("%s: %v allocations", expression, n)
		}
	}
}
