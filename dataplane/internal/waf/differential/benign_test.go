package differential_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/waf/differential"
)

var update = flag.Bool("update", false, "write down how many benign requests are blocked (with SALLYPORT_LONG=1: of all)")

// blocked is how many of the benign requests a level blocks, and the rules that found something in those.
type blocked struct {
	Requests int         `json:"requests"`
	Blocked  int         `json:"blocked"`
	Rules    map[int]int `json:"rules"`
}

const blockedFile = "testdata/benign_blocked.json"

// What honest clients send is blocked no more often than it was: the file is the ceiling, for each level and rule. The Core Rule Set alone is what it says. Who raises
// its version looks at what got worse, and writes that down with -update.
func TestBenignRequestsAreBlockedNoMoreOftenThanBefore(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(blockedFile)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]blocked{}
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	for level := uint32(1); level <= 2; level++ {
		name, one := fmt.Sprintf("level %d, a share", level), 97
		if long() {
			name, one = fmt.Sprintf("level %d, all", level), 1
		}
		now := countBlocked(t, level, one)
		t.Logf("%s: %d of %d benign requests are blocked", name, now.Blocked, now.Requests)
		if !*update {
			compareBlocked(t, name, known[name], now)
		}
		known[name] = now
	}
	if *update {
		text, err := json.MarshalIndent(known, "", "  ")
		if err == nil {
			err = os.WriteFile(blockedFile, append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func countBlocked(t *testing.T, level uint32, oneOf int) blocked {
	t.Helper()
	requests, err := differential.Requests("benign", differential.Share{OneOf: oneOf})
	if err != nil {
		t.Fatal(err)
	}
	counted := blocked{Rules: map[int]int{}}
	for verdict := range differential.Verdicts(compile(t, level, nil), requests) {
		counted.Requests++
		if verdict.Block {
			counted.Blocked++
			for _, rule := range verdict.Rules {
				counted.Rules[rule]++
			}
		}
	}
	return counted
}

func compareBlocked(t *testing.T, name string, before, now blocked) {
	t.Helper()
	if before.Requests != now.Requests {
		t.Errorf("%s: %d requests were judged, the ceiling is of %d", name, now.Requests, before.Requests)
	}
	if now.Blocked > before.Blocked {
		t.Errorf("%s: %d are blocked, %d were", name, now.Blocked, before.Blocked)
	}
	for _, rule := range slices.Sorted(maps.Keys(now.Rules)) {
		if now.Rules[rule] > before.Rules[rule] {
			t.Errorf("%s: rule %d finds something in %d blocked requests, it was %d", name, rule, now.Rules[rule], before.Rules[rule])
		}
	}
}
