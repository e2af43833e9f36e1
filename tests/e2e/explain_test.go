package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// explained asks one edge, or all of them, what they would do.
func explained(t *testing.T, s *harness.Story, params *sallyport.ExplainParams, request sallyport.HypotheticalRequest) sallyport.Explanations {
	t.Helper()
	answer, err := s.API.ExplainWithResponse(t.Context(), s.Environment.Name, params, request)
	s.Must(answer, err)
	return *answer.JSON200
}

func TestEveryEdgeExplainsWhyACallerIsRefusedThoughNobodyKnowsTheirKey(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	scoped := s.Route(sallyport.Route{Name: s.Name("scoped"), Service: p.Service.Name, Paths: harness.Below("/reports"), Methods: []string{"GET"}})
	s.Policy(harness.APIKeys(s.Name("reports"), sallyport.Attachment{Route: scoped.Name}, "reports:read"))
	all := sallyport.ExplainParamsNodes("all")

	request := sallyport.HypotheticalRequest{
		Host: s.Host, Target: "/reports/7", Caller: sallyport.HypotheticalCaller{APIKey: p.Key.ID},
	}
	refusal := explained(t, s, &sallyport.ExplainParams{Nodes: &all}, request)
	if len(refusal.Nodes) != 2 || len(refusal.Differences) != 0 {
		t.Fatalf("two edges answer %+v", refusal)
	}
	for _, node := range refusal.Nodes {
		if !node.Answered || node.Verdict != "scope_missing" || node.Status != http.StatusForbidden || node.Policy != s.Name("reports") ||
			node.Route.Name != scoped.Name || node.Caller.APIKey != p.Key.ID || !strings.Contains(node.Answer.Body, `"scope_missing"`) {
			t.Errorf("%s explains %+v", node.Name, node)
		}
		if !slices.ContainsFunc(node.NearMisses, func(m sallyport.ExplanationMiss) bool { return m.Route == p.Route.ID && m.Part == "precedence" }) {
			t.Errorf("the other route missed %+v", node.NearMisses)
		}
		if len(node.Stages) != 1 || node.Stages[0].Level != "route" || node.Stages[0].Verdict != "refused" {
			t.Errorf("the stages are %+v", node.Stages)
		}
	}

	second := s.Edges()[1].Name
	request.Caller = sallyport.HypotheticalCaller{Consumer: p.Consumer.Name, Scopes: []string{"reports:read"}}
	allowed := explained(t, s, &sallyport.ExplainParams{Node: &second}, request).Nodes
	if len(allowed) != 1 || allowed[0].Name != second || allowed[0].Verdict != "allowed" || allowed[0].Forward.Service != p.Service.ID || allowed[0].Status != 0 {
		t.Errorf("with the scope %s explains %+v", second, allowed)
	}
	request.Method = "DELETE"
	if deleted := explained(t, s, nil, request).Nodes[0]; deleted.Route.ID != p.Route.ID || deleted.NearMisses[0].Part != "method" || deleted.NearMisses[0].Given != "DELETE" {
		t.Errorf("another method is explained as %+v", deleted)
	}
}

func TestWhatNoClientCanSendIsNotExplained(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for pointer, request := range map[string]sallyport.HypotheticalRequest{
		"/target":          {Host: s.Host},
		"/host":            {Host: "a\r\nX: y", Target: "/"},
		"/method":          {Method: "GET /", Target: "/"},
		"/address":         {Target: "/", Address: "nowhere"},
		"/protocol":        {Target: "/", Protocol: "HTTP/2"},
		"/headers/0/value": {Target: "/", Headers: []sallyport.HypotheticalHeader{{Name: "X", Value: "a\nb"}}},
		"/headers/0/name":  {Target: "/", Headers: []sallyport.HypotheticalHeader{{Name: "Content-Length", Value: "5"}}},
		"/caller":          {Target: "/", Caller: sallyport.HypotheticalCaller{APIKey: "a", Consumer: "b"}},
		"/caller/api_key":  {Target: "/", Caller: sallyport.HypotheticalCaller{APIKey: "nobody"}},
	} {
		answer, err := s.API.ExplainWithResponse(t.Context(), s.Environment.Name, nil, request)
		problem := refused(t, "invalid_request", answer, err)
		if !slices.ContainsFunc(problem.Errors, func(f sallyport.FieldError) bool { return f.Pointer == pointer }) {
			t.Errorf("%s isn't named by %v", pointer, problem)
		}
	}
	nobody := "nobody"
	answer, err := s.API.ExplainWithResponse(t.Context(), s.Environment.Name, &sallyport.ExplainParams{Node: &nobody}, sallyport.HypotheticalRequest{Target: "/"})
	_ = refused(t, "not_found", answer, err)
}
