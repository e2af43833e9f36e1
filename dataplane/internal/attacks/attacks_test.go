package attacks_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/attacks"
)

func TestARuleHasTheAttacksOfItsTests(t *testing.T) {
	t.Parallel()
	all, err := attacks.Of(942100)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 || all[0] != (attacks.Attack{Test: "942100-1", Title: "Simple SQL Injection", Payload: "1234 OR 1=1"}) {
		t.Errorf("942100 has %d attacks, the first %+v", len(all), all[0])
	}
	for _, a := range all {
		if !strings.HasPrefix(a.Test, "942100-") || a.Payload == "" {
			t.Errorf("an attack of another test, or of nothing: %+v", a)
		}
	}
	if none, err := attacks.Of(1); err != nil || len(none) != 0 {
		t.Errorf("of a rule that isn't: %v, %v", none, err)
	}
}
