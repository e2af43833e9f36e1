package waf_test

import (
	"net/url"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/attacks"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// What is excluded is told from findings alone, which holds only if they say all that was added.
func TestFindingsAddUpToTheScore(t *testing.T) {
	t.Parallel()
	e := engine(t, func(config *policyv1.Waf) { config.ParanoiaLevel = proto.Uint32(4); config.InboundThreshold = proto.Uint32(1000) })
	inspected, scored := 0, 0
	for i, rule := range ruleset.Known() {
		all, err := attacks.Of(rule.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			continue
		}
		a := all[0]
		r := []request{ // each place for a third of the rules
			{path: "/", query: "a=" + url.QueryEscape(a.Payload) + "&b=" + url.QueryEscape(a.Payload)},
			{method: "POST", path: "/", header: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "a=" + url.QueryEscape(a.Payload)},
			{path: "/", header: []string{"Referer: " + a.Payload, "Cookie: a=" + a.Payload}},
		}[i%3]
		d := inspect(e, r)
		sum := 0
		for _, f := range d.Findings {
			sum += f.Score
		}
		inspected++
		if d.Score > 0 {
			scored++
		}
		if d.Denied == 0 && sum != d.Score {
			t.Errorf("%s: findings add up to %d, the score is %d: %v", a.Test, sum, d.Score, rulesOf(d))
		}
	}
	if scored < 100 || scored < inspected/2 {
		t.Errorf("of %d attacks %d were found", inspected, scored)
	}
}

func TestWithoutWhatRefusedByItselfTheScoreDecides(t *testing.T) {
	t.Parallel()
	d := waf.Decision{Block: true, Denied: 1, Score: 5, Threshold: 5, Findings: []waf.Finding{{Rule: 1}, {Rule: 1, Target: waf.Target{Part: "path"}}, {Rule: 2, Score: 5}}}
	only := func(rules ...int) func(waf.Finding) bool {
		return func(f waf.Finding) bool {
			for _, r := range rules {
				if f.Rule == r {
					return true
				}
			}
			return false
		}
	}
	for name, tt := range map[string]struct {
		excluded func(waf.Finding) bool
		block    bool
		score    int
	}{
		"nothing":              {only(), true, 5},
		"what refused":         {only(1), true, 5},
		"what scored":          {only(2), true, 0},
		"both":                 {only(1, 2), false, 0},
		"what refused, partly": {func(f waf.Finding) bool { return f.Rule == 2 || f.Target.Part == "path" }, true, 0},
	} {
		if got := d.Without(tt.excluded); got.Block != tt.block || got.Score != tt.score {
			t.Errorf("without %s: %+v", name, got)
		}
	}
	if len(d.Findings) != 3 || d.Score != 5 {
		t.Error("the decision itself was changed")
	}
}
