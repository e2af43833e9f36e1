package explain_test

import (
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	contract "github.com/sallyport/sallyport/proto/policy/requestlimits"
	"github.com/sallyport/sallyport/proto/problem"
)

// inspecting finds something in each request, and refuses it.
type inspecting struct{ policy id.ID }

func (s inspecting) Request(ex *pipeline.Exchange) error {
	ex.Found(pipeline.Finding{
		Policy: s.policy, Rule: "942100", Message: "SQL Injection Attack", Target: "argument:4111111111111111", Part: "1' or pass='geheim'", Score: 5, Exclusion: id.ID{9},
	})
	return ex.Reject(problem.WafBlocked, "", "score 5")
}

func TestAnExplanationTellsWhatAnInspectionFoundAndNoValue(t *testing.T) {
	kinds := policies.All()
	for i := range kinds {
		if kinds[i].Kind.Name == contract.Kind.Name {
			kinds[i] = pipeline.Bind(contract.Kind, func(env pipeline.Env, _ *policyv1.RequestLimits) (pipeline.Stage, error) {
				return inspecting{env.PolicyID}, nil
			})
		}
	}
	e := newEdgeOf(t, kinds, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "hosts": ["shop.test"], "paths": [{"prefix": "/"}], "public": true}],
		"policies": [
			{"name": "inspect", "kind": "request-limits", "attached_to": [{"environment": true}], "config": {"max_headers": 100}},
			{"name": "fixed", "kind": "respond", "attached_to": [{"environment": true}], "config": {"fixed": {}}}
		]
	}`)
	m := e.explain(t, asked("GET", "/x?4111111111111111=geheim"))
	is(t, "stages", stages(m), "inspect environment enforce refused waf_blocked; fixed environment enforce not_reached ")
	found := m.GetStages()[0].GetFindings()
	if len(found) != 1 || len(m.GetStages()[1].GetFindings()) != 0 {
		t.Fatalf("explained %v", m.GetStages())
	}
	f := found[0]
	is(t, "finding", f.GetRule()+" "+f.GetMessage()+" "+f.GetTarget()+" "+f.GetPart()+" "+f.GetExclusion(),
		"942100 SQL Injection Attack argument:00000000… 0' or aaaa='aaaaaa' "+id.Text(id.WafExclusion, id.ID{9}))
}
