package proxy

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/requestlimits"
	"github.com/sallyport/sallyport/proto/problem"
)

// inspected is a route whose requests a stage looks into, by request-limits' name.
const inspected = `{
	"settings": [{"name": "settings", "traced_per_million": 0}],
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [{"name": "r", "service": "s", "hosts": ["test"], "paths": [{"template": "/{all}"}], "public": true}],
	"policies": [{"name": "inspect", "kind": "request-limits", "mode": "enforce", "attached_to": [{"environment": true}], "config": {"max_headers": 100}}]
}`

// inspecting finds something in each request, with a secret wherever there is room for one.
type inspecting struct {
	policy  id.ID
	refuses bool
	late    bool // it notes at the end of the answer
}

func (s inspecting) found(ex *pipeline.Exchange, rule string) {
	ex.Found(pipeline.Finding{
		Policy: s.policy, Rule: rule, Message: "SQL Injection Attack", Target: "argument:hidden1234567", Part: "1' or hidden='hidden' --", Score: 5,
		InAnswer: s.late, Exclusion: id.ID{9},
	})
}

func (s inspecting) Request(ex *pipeline.Exchange) error {
	if s.late {
		return nil
	}
	s.found(ex, "942100")
	s.found(ex, "942100")
	s.found(ex, "942190")
	if s.refuses {
		return ex.Reject(problem.WafBlocked, "", "score 15")
	}
	return nil
}

func (s inspecting) Finish(ex *pipeline.Exchange) {
	if s.late {
		s.found(ex, "951100")
		ex.Note(s.policy, problem.WafAnswerBlocked)
	}
}

// inspectingEdge is an edge whose request-limits inspect.
func inspectingEdge(t *testing.T, stage inspecting, mode string) *edge {
	t.Helper()
	kinds := policies.All()
	for i := range kinds {
		if kinds[i].Kind.Name == contract.Kind.Name {
			kinds[i] = pipeline.Bind(contract.Kind, func(env pipeline.Env, _ *policyv1.RequestLimits) (pipeline.Stage, error) {
				stage.policy = env.PolicyID
				return stage, nil
			})
		}
	}
	return newEdgeOf(t, answering{200}, kinds, strings.Replace(inspected, "enforce", mode, 1))
}

func findings(event *usagev1.Event) string {
	var all []string
	for _, f := range event.GetDecision().GetFindings() {
		all = append(all, f.GetRule()+" "+f.GetTarget()+" "+f.GetPart())
	}
	return strings.Join(all, "; ")
}

func TestARefusedRequestTellsWhatWasFoundInItAndNoValueOfIt(t *testing.T) {
	e := inspectingEdge(t, inspecting{refuses: true}, "enforce")
	e.through(t, "/a")
	events := e.told(t)
	const found = "argument:aaaaaa00… 0' or aaaaaa='aaaaaa' --"
	if len(events) != 1 || findings(events[0]) != "942100 "+found+"; 942100 "+found+"; 942190 "+found {
		t.Fatalf("told of %v", events)
	}
	f := events[0].GetDecision().GetFindings()[0]
	if f.GetScore() != 5 || f.GetMessage() != "SQL Injection Attack" || f.GetInAnswer() || id.ID(f.GetExclusion()) != (id.ID{9}) ||
		id.ID(f.GetPolicy()) != id.ID(events[0].GetPolicy()) {
		t.Errorf("told of %v", f)
	}
}

func TestWhatShadowFindsIsToldOfToo(t *testing.T) {
	e := inspectingEdge(t, inspecting{refuses: true}, "shadow")
	e.through(t, "/a")
	events := e.told(t)
	if len(events) != 1 || len(events[0].GetDecision().GetFindings()) != 3 || steps(events[0]) != "request-limits shadow_refused" {
		t.Fatalf("told of %v", events)
	}
}

func TestWhatIsNotedAtTheEndOfAnAnswerIsListedWithItsStageAndFindings(t *testing.T) {
	for _, perMillion := range []string{"0", "1000000"} {
		e := inspectingEdge(t, inspecting{late: true}, "enforce")
		e.configure(t, strings.Replace(inspected, `million": 0`, `million": `+perMillion, 1))
		e.through(t, "/a")
		events := e.told(t)
		if len(events) != 1 || events[0].GetShadowVerdict() != string(problem.WafAnswerBlocked) || events[0].GetVerdict() != string(pipeline.Allowed) {
			t.Fatalf("of %s sampled: told of %v", perMillion, events)
		}
		if got := strings.TrimSuffix(steps(events[0]), " timed"); got != "request-limits shadow_refused" || !strings.HasPrefix(findings(events[0]), "951100 ") {
			t.Errorf("of %s sampled: %s, %s", perMillion, got, findings(events[0]))
		}
	}
}

func TestARequestInWhichNothingWasFoundTellsNothing(t *testing.T) {
	e := newEdge(t, answering{200})
	e.through(t, "/a")
	if events := e.told(t); len(events) != 1 || events[0].GetDecision().GetFindings() != nil {
		t.Errorf("told of %v", events)
	}
}

func TestTheAccessLogHasTheRulesAloneAndEachOnce(t *testing.T) {
	var out bytes.Buffer
	log := NewAccessLog(&out)
	ex := new(pipeline.Exchange)
	s := inspecting{}
	_ = s.Request(ex)
	log.write(ex, time.Unix(0, 0))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := log.Run(stopped); err != nil {
		t.Fatal(err)
	}
	if line := out.String(); !strings.Contains(line, `"rules":["942100","942190"]`) || strings.Contains(line, "hidden") {
		t.Errorf("logged %s", line)
	}
}
