package guardrails

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

var block = regexp.MustCompile("(?s)```json (guardrail|passes|breaks)\n(.*?)\n```")

// What the page shows works as it says.
func TestEveryExampleOfThePageIsPassedAndBrokenAsItSays(t *testing.T) {
	page, err := os.ReadFile("GUARDRAILS.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(page), "\n### ")[1:]
	if len(examples) < 6 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		title, _, _ := strings.Cut(example, "\n")
		t.Run(title, func(t *testing.T) {
			parts := map[string]string{}
			for _, b := range block.FindAllStringSubmatch(example, -1) {
				parts[b[1]] = b[2]
			}
			if len(parts) != 3 {
				t.Fatalf("%d parts", len(parts))
			}
			if found := check(t, parts["passes"], parts["guardrail"]); len(found) != 0 {
				t.Errorf("what passes is found to break it: %s", found[0].Text)
			}
			found := check(t, parts["breaks"], parts["guardrail"])
			if len(found) != 1 || strings.Contains(found[0].Text, "can't be evaluated") {
				t.Fatalf("%d things are found in what breaks it: %+v", len(found), found)
			}
			if warns := found[0].Guardrail.GetAction() == configv1.GuardrailAction_GUARDRAIL_ACTION_WARN; warns == found[0].Refuses {
				t.Errorf("refuses: %v, though it warns: %v", found[0].Refuses, warns)
			}
		})
	}
}

// check makes a configuration with guardrails out of nothing, and returns what breaks them.
func check(t *testing.T, configuration string, rails ...string) []Finding {
	t.Helper()
	c := catalogtest.Parse(t, configuration)
	for _, rail := range rails {
		c["guardrails"] = append(c["guardrails"], []byte(rail))
	}
	return New().Check(t.Context(), catalogtest.Candidate(t, catalog.Empty(), c))
}
