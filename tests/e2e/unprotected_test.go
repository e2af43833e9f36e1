package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestARouteWithoutAuthenticationIsRefusedUnlessItIsPublic(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	service := s.Service("service", harness.NewUpstream(t, nil).Address)
	route := sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Hosts: []string{s.Host}}

	answer, err := s.API.CreateRouteWithResponse(t.Context(), s.Environment.Name, nil, route)
	problem := refused(t, "invalid_request", answer, err)
	hasCode(t, problem, "unprotected")
	s.ExpectAll("/", nil, http.StatusNotFound, "route_not_found")

	route.Public = true
	s.Route(route)
	s.ExpectAll("/", nil, http.StatusOK, "")
}

func TestNoChangeMayLeaveARouteBare(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)

	environment := s.Environment.Name
	patch := func(change map[string]any) (sallyport.Answer, error) {
		return s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), environment, p.Policy.ID, nil, change)
	}
	ways := map[string]func() (sallyport.Answer, error){
		"its policy is deleted": func() (sallyport.Answer, error) {
			return s.API.DeletePolicyWithResponse(t.Context(), environment, p.Policy.ID, nil)
		},
		"its policy is put in shadow":    func() (sallyport.Answer, error) { return patch(map[string]any{"mode": "shadow"}) },
		"its policy is switched off":     func() (sallyport.Answer, error) { return patch(map[string]any{"mode": "off"}) },
		"its policy is taken off":        func() (sallyport.Answer, error) { return patch(map[string]any{"attached_to": nil}) },
		"it is moved to another service": func() (sallyport.Answer, error) { return moveRoute(t, s, p) },
		"a batch deletes policy by itself": func() (sallyport.Answer, error) {
			return s.API.ApplyChangesWithResponse(t.Context(), environment, nil, sallyport.ChangesRequest{
				Operations: []sallyport.Operation{{Action: "delete", Collection: "policies", Key: p.Policy.Name}},
			})
		},
	}
	for way, try := range ways {
		answer, err := try()
		problem := refused(t, "invalid_request", answer, err)
		if !t.Failed() {
			hasCode(t, problem, "unprotected")
		}
		if t.Failed() {
			t.Fatalf("when %s", way)
		}
	}

	s.ExpectAll("/", nil, http.StatusUnauthorized, "credential_missing")
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("the service was reached %d times", got)
	}
}

// moveRoute tries to give the route to a service that has no policy.
func moveRoute(t *testing.T, s *harness.Story, p harness.Protected) (sallyport.Answer, error) {
	t.Helper()
	bare := s.Service("bare", "192.0.2.1:80")
	return s.API.PatchRouteWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, p.Route.ID, nil,
		map[string]any{"service": bare.Name})
}

func hasCode(t *testing.T, problem *sallyport.Problem, code string) {
	t.Helper()
	for _, field := range problem.Errors {
		if field.Code == code {
			return
		}
	}
	t.Errorf("no field has the code %s: %v", code, problem)
}

// The control plane says which configurations leave a route bare, the edges say what runs on it: for every way to attach
// policies on three levels, what the one takes for protected the others must protect.
func TestWhatTheControlPlaneTakesForProtectedTheEdgesProtect(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	levels := []map[string]any{{"environment": true}, {"service": p.Service.Name}, {"route": p.Route.Name}}

	taken, notTaken := 0, 0
	for n := range len(attachments) * len(attachments) * len(attachments) {
		batch := sallyport.ChangesRequest{}
		for _, level := range levels {
			batch.Operations = append(batch.Operations, attachments[n%len(attachments)].on(s, level))
			n /= len(attachments)
		}
		// The policy that came with the route would protect it in any case.
		batch.Operations = append(batch.Operations, sallyport.Operation{
			Action: "patch", Collection: "policies", Key: p.Policy.Name, Body: map[string]any{"attached_to": nil},
		})
		answer, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{Wait: s.Wait()}, batch)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode() != http.StatusOK {
			hasCode(t, refused(t, "invalid_request", answer, nil), "unprotected")
			notTaken++
			continue
		}
		taken++
		if got := s.Send(s.Edges()[0], http.MethodGet, "/", nil); got.Code() != "credential_missing" {
			t.Errorf("with %v a request without a key was answered %s", batch.Operations, got)
		}
	}

	if taken == 0 || notTaken == 0 {
		t.Errorf("%d configurations were taken and %d not: the story tells nothing", taken, notTaken)
	}
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("the service was reached %d times without a key", got)
	}
}

// attachment is one way to attach a policy to a level.
type attachment struct {
	mode  string // "": not at all
	final bool
}

var attachments = []attachment{
	{}, {mode: "off"}, {mode: "off", final: true}, {mode: "shadow"}, {mode: "shadow", final: true}, {mode: "enforce"}, {mode: "enforce", final: true},
}

// on returns what makes a level's policy so.
func (a attachment) on(s *harness.Story, level map[string]any) sallyport.Operation {
	var of string
	for of = range level {
		break
	}
	body := map[string]any{"name": s.Name(of), "kind": "api-key", "config": map[string]any{}, "final": a.final}
	if a.mode != "" {
		body["mode"], body["attached_to"] = a.mode, []any{level}
	}
	return sallyport.Operation{Action: "put", Collection: "policies", Key: s.Name(of), Body: body}
}
