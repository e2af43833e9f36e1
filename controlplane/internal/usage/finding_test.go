package usage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func found(policy id.ID, rule string) *usagev1.Finding {
	return &usagev1.Finding{Policy: policy[:], Rule: rule, Message: "SQL injection", Target: "argument:comment", Part: "0' or", Score: 5}
}

// countedFindings is what is counted of the findings of an event with this decision.
func countedFindings(t *testing.T, change func(*usagev1.Event)) []usage.Finding {
	t.Helper()
	b := good(1)
	e := &usagev1.Event{TimeMs: noon.UnixMilli(), RequestId: "req_a", Status: 200, Verdict: "allowed", Decision: new(usagev1.Decision)}
	change(e)
	b.Events = []*usagev1.Event{e}
	in := usage.Tally([]*usagev1.Batch{b}, noon)
	if len(in.Requests) != 1 {
		t.Fatalf("%d requests are listed", len(in.Requests))
	}
	return in.Findings
}

func TestARequestTellsWhatWasFoundInItWithNames(t *testing.T) {
	policy, exclusion := id.New(noon), id.New(noon)
	f := found(policy, "942100")
	f.Exclusion, f.InAnswer, f.Message = exclusion[:], true, "SQL\ninjection"+strings.Repeat("x", 300)
	got, err := usage.NewReports(&oneRequest{request: listed(t, &usagev1.Decision{Findings: []*usagev1.Finding{f}})}).Request(t.Context(), "env", "req_a")
	if err != nil || len(got.GetDecision().GetFindings()) != 1 {
		t.Fatalf("told as %v, %v", got, err)
	}
	told := got.GetDecision().GetFindings()[0]
	if told.GetPolicyName() != "name of "+id.Text(id.Policy, policy) || told.GetExclusionName() != "name of "+id.Text(id.WafExclusion, exclusion) || told.GetRule() != "942100" ||
		told.GetTarget() != "argument:comment" || told.GetPart() != "0' or" || told.GetScore() != 5 || !told.GetInAnswer() {
		t.Errorf("told as %v", told)
	}
	if m := told.GetMessage(); !strings.HasPrefix(m, "SQL\uFFFDinjection") || len(m) > 200 {
		t.Errorf("the message is %q", m)
	}
}

func TestARuleCountsOnceForEachRequestWithWhatItsPolicyDid(t *testing.T) {
	refuses, shadows, passes := id.New(noon), id.ID{15: 2}, id.ID{15: 3}
	exclusion := id.New(noon)
	excluded := found(shadows, "942100")
	excluded.Exclusion = exclusion[:]
	all := countedFindings(t, func(e *usagev1.Event) {
		e.Verdict, e.Status, e.Policy = "waf_blocked", 403, refuses[:]
		e.Decision.Steps = []*usagev1.Step{
			{Policy: shadows[:], Verdict: usagev1.Step_VERDICT_SHADOW_REFUSED}, {Policy: passes[:], Verdict: usagev1.Step_VERDICT_PASSED}, {Policy: refuses[:], Verdict: usagev1.Step_VERDICT_REFUSED},
		}
		e.Decision.Findings = []*usagev1.Finding{found(refuses, "942100"), found(refuses, "942100"), found(refuses, "941100"), excluded, found(passes, "max_depth")}
	})
	if len(all) != 4 {
		t.Fatalf("%d are counted: %+v", len(all), all)
	}
	for i, want := range []struct {
		policy   id.ID
		rule     string
		outcome  usage.Outcome
		excluded bool
	}{
		{refuses, "942100", usage.FoundRefused, false},
		{refuses, "941100", usage.FoundRefused, false},
		{shadows, "942100", usage.FoundShadowRefused, true},
		{passes, "max_depth", usage.FoundPassed, false},
	} {
		f := all[i]
		if f.Policy != [16]byte(want.policy) || f.Rule != want.rule || f.Outcome != want.outcome || f.Excluded != want.excluded || f.First != (i == 0) || f.Rules != 4 || f.Succeeded {
			t.Errorf("%d: %+v, want %+v", i, f, want)
		}
	}
}

func TestARuleIsExcludedFromARequestOnlyWithAllThatItFoundThere(t *testing.T) {
	policy, exclusion := id.New(noon), id.New(noon)
	excluded := found(policy, "942100")
	excluded.Exclusion = exclusion[:]
	all := countedFindings(t, func(e *usagev1.Event) { e.Decision.Findings = []*usagev1.Finding{excluded, found(policy, "942100")} })
	if len(all) != 1 || all[0].Excluded || !all[0].Succeeded {
		t.Errorf("counted %+v", all)
	}
}

func TestFindingsThatCannotBeAreNotKeptAndTheRequestIs(t *testing.T) {
	policy := id.New(noon)
	many := make([]*usagev1.Finding, 17)
	for i := range many {
		many[i] = found(policy, "942100")
	}
	for what, findings := range map[string][]*usagev1.Finding{
		"too many":     many,
		"no policy":    {{Rule: "942100"}},
		"no rule":      {{Policy: policy[:]}},
		"no exclusion": {{Policy: policy[:], Rule: "942100", Exclusion: []byte("abc")}},
	} {
		if r := listed(t, &usagev1.Decision{Findings: findings}); len(r.Decision) != 0 {
			t.Errorf("%s: kept", what)
		}
		if all := countedFindings(t, func(e *usagev1.Event) { e.Decision.Findings = findings }); len(all) != 0 {
			t.Errorf("%s: counted", what)
		}
	}
}

func TestWhatIsTooLongInAFindingIsCut(t *testing.T) {
	policy, long := id.New(noon), strings.Repeat("é", 5000)
	all := countedFindings(t, func(e *usagev1.Event) {
		e.Decision.Findings = []*usagev1.Finding{{Policy: policy[:], Rule: long, Message: long, Target: long, Part: long}}
	})
	if len(all) != 1 || len(all[0].Rule) > 64 || len(all[0].Message) > 200 || len(all[0].Target) > 128 {
		t.Errorf("counted %+v", all)
	}
}

// reported answers with rows of a report.
type reported struct {
	answers
	sums usage.FindingSums
}

func (r *reported) Findings(context.Context, string, usage.FindingQuestion) (usage.FindingSums, error) {
	return r.sums, nil
}

func TestARuleIsNoiseWhereManyConsumersNormalCallsBreakItAlone(t *testing.T) {
	for what, tt := range map[string]struct {
		sum   usage.FindingSum
		noise bool
		says  string
	}{
		"three that succeed":         {usage.FindingSum{Consumers: 3, Succeeded: 3, RulesPerRequest: 1}, true, "3 of 3 consumers"},
		"two of three succeed":       {usage.FindingSum{Consumers: 3, Succeeded: 2, RulesPerRequest: 2.5}, true, "2 of 3 consumers"},
		"one of three succeeds":      {usage.FindingSum{Consumers: 3, Succeeded: 1, RulesPerRequest: 1}, false, "Only 1 of 3"},
		"two consumers":              {usage.FindingSum{Consumers: 2, Succeeded: 2, RulesPerRequest: 1}, false, "2 consumers"},
		"one consumer":               {usage.FindingSum{Consumers: 1, Succeeded: 1, RulesPerRequest: 1}, false, "1 consumer,"},
		"nobody known":               {usage.FindingSum{Addresses: 900, RulesPerRequest: 1}, false, "No consumer is known"},
		"attacks of known consumers": {usage.FindingSum{Consumers: 9, Succeeded: 9, RulesPerRequest: 6.25}, false, "6.2 rules"},
	} {
		rows, _, err := usage.NewReports(&reported{sums: usage.FindingSums{Rows: []usage.FindingSum{tt.sum}}}).Findings(t.Context(), "env", usage.FindingQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if row := rows.Items[0]; row.GetLikelyNoise() != tt.noise || !strings.Contains(row.GetReason(), tt.says) {
			t.Errorf("%s: %v, %s", what, row.GetLikelyNoise(), row.GetReason())
		}
	}
}

func TestAReportSaysWhatItLeavesOut(t *testing.T) {
	sums := usage.FindingSums{Rows: make([]usage.FindingSum, 2), All: 5, Findings: 100_000, OldestMs: noon.UnixMilli()}
	_, coverage, err := usage.NewReports(&reported{sums: sums}).Findings(t.Context(), "env", usage.FindingQuery{})
	if err != nil || coverage.GetRowsLeftOut() != 3 || !coverage.GetFindingsFrom().AsTime().Equal(noon) {
		t.Errorf("covers %v: %v", coverage, err)
	}
	sums.Findings = 99_999
	if _, coverage, err = usage.NewReports(&reported{sums: sums}).Findings(t.Context(), "env", usage.FindingQuery{}); err != nil || coverage.GetFindingsFrom() != nil {
		t.Errorf("covers %v: %v", coverage, err)
	}
}
