package kinds_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/sallyport/sallyport/proto/policy/kinds"
)

var example = regexp.MustCompile("(?s)```json\n(.*?)```")

func TestTheExamplesOfThePageAreValid(t *testing.T) {
	found := example.FindAllSubmatch(read(t, "../KINDS.md"), -1)
	if len(found) < 5 {
		t.Fatalf("the page has %d examples", len(found))
	}
	for _, block := range found {
		var policy struct {
			Kind   string          `json:"kind"`
			Config json.RawMessage `json:"config"`
		}
		if err := json.Unmarshal(block[1], &policy); err != nil {
			t.Fatalf("%s: %v", block[1], err)
		}
		kind, ok := kinds.ByName(policy.Kind)
		if !ok {
			t.Errorf("there is no kind %q", policy.Kind)
			continue
		}
		if violations := check(kind, policy.Config, kind.New()); len(violations) > 0 {
			t.Errorf("%s: %v", block[1], violations)
		}
	}
}
