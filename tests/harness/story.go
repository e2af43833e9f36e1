package harness

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

// Story is a test's part of an environment: names and hosts that no other story uses. Its methods fail the test when
// something isn't as it must be, and its writes return once every edge of the environment has them.
type Story struct {
	// API is the admin API, as an owner.
	API *sallyport.ClientWithResponses
	// Environment that it plays in.
	Environment *Environment
	// Host of its routes.
	Host string

	t    testing.TB
	name string
}

// Story returns one in the environment that all share.
func (s *Stack) Story(t testing.TB) *Story {
	t.Helper()
	return s.shared.Story(t)
}

// OwnStory returns one in an environment of its own: for what concerns a whole environment. Targets may be in allowed.
func (s *Stack) OwnStory(t testing.TB, edges int, allowed ...string) *Story {
	t.Helper()
	own, err := s.NewEnvironment(t.Context(), edges, allowed...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	return own.Story(t)
}

// Story returns one in this environment, whose edges are connected: what another one killed may have come back a moment ago.
func (e *Environment) Story(t testing.TB) *Story {
	t.Helper()
	if err := e.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := "s" + e.Stack.unique()
	return &Story{t: t, API: e.Stack.API, Environment: e, name: name, Host: name + ".test"}
}

// Through makes the story, and its stack's environments, speak to the n-th control plane, counted from 1. It is for stories
// that have a stack to themselves.
func (s *Story) Through(n int) {
	s.t.Helper()
	api, err := s.Environment.Stack.Replica(n)
	if err != nil {
		s.t.Fatal(err)
	}
	s.API, s.Environment.Stack.API = api, api
}

// Name returns a name that only this story has.
func (s *Story) Name(of string) string { return of + "-" + s.name }

// Edges returns the environment's edges.
func (s *Story) Edges() []*Edge { return s.Environment.Edges }

// Service creates a service with one target.
func (s *Story) Service(of, target string) sallyport.Service {
	s.t.Helper()
	made, err := s.API.CreateServiceWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreateServiceParams{Wait: longWait()},
		sallyport.Service{Name: s.Name(of), Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: target}}}})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Route creates a route. Without hosts it gets the story's.
func (s *Story) Route(route sallyport.Route) sallyport.Route {
	s.t.Helper()
	if len(route.Hosts) == 0 {
		route.Hosts = []string{s.Host}
	}
	made, err := s.API.CreateRouteWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreateRouteParams{Wait: longWait()}, route)
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Policy creates a policy.
func (s *Story) Policy(policy sallyport.Policy) sallyport.Policy {
	s.t.Helper()
	made, err := s.API.CreatePolicyWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreatePolicyParams{Wait: longWait()}, policy)
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Consumer creates a consumer.
func (s *Story) Consumer(of string) sallyport.Consumer {
	s.t.Helper()
	made, err := s.API.CreateConsumerWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreateConsumerParams{Wait: longWait()},
		sallyport.Consumer{Name: s.Name(of)})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Key creates an API key.
func (s *Story) Key(key sallyport.APIKey) sallyport.APIKey {
	s.t.Helper()
	made, err := s.API.CreateAPIKeyWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreateAPIKeyParams{Wait: longWait()}, key)
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Password creates a username and password.
func (s *Story) Password(password sallyport.Password) sallyport.Password {
	s.t.Helper()
	made, err := s.API.CreatePasswordWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreatePasswordParams{Wait: longWait()}, password)
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// Revoke revokes an API key.
func (s *Story) Revoke(key sallyport.APIKey) {
	s.t.Helper()
	gone, err := s.API.DeleteAPIKeyWithResponse(s.t.Context(), s.Environment.Name, key.ID, &sallyport.DeleteAPIKeyParams{Wait: longWait()})
	s.Must(gone, err)
	s.Applied(gone.HTTPResponse)
}

// Settings changes settings of the story's environment, as a merge patch. It is for stories that have one to themselves.
func (s *Story) Settings(changes map[string]any) {
	s.t.Helper()
	patched, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(s.t.Context(), s.Environment.Name,
		&sallyport.PatchSettingsParams{Wait: longWait()}, changes)
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
}

// Wait is what a write of the story's own is asked to wait for the edges.
func (s *Story) Wait() *sallyport.Wait { return longWait() }

// Must fails the test when a call was refused.
func (s *Story) Must(answer sallyport.Answer, err error) {
	s.t.Helper()
	if err := sallyport.Check(answer, err); err != nil {
		s.t.Fatal(err)
	}
}

// Applied fails the test unless an answer says that every edge has what was written.
func (s *Story) Applied(answer *http.Response) {
	s.t.Helper()
	if err := s.Environment.checkApplied(answer.Header.Get("Sallyport-Applied")); err != nil {
		s.t.Fatal(err)
	}
}

// Head returns the environment as it is now.
func (s *Story) Head() sallyport.Environment {
	s.t.Helper()
	head, err := s.Environment.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return head
}

// Send asks an edge at the story's host.
func (s *Story) Send(edge *Edge, method, path string, header http.Header) Response {
	s.t.Helper()
	return s.SendTo(edge, method, path, s.Host, header)
}

// SendTo asks an edge at another host.
func (s *Story) SendTo(edge *Edge, method, path, host string, header http.Header) Response {
	s.t.Helper()
	answer, err := edge.Do(s.t.Context(), Request{Method: method, Path: path, Host: host, Header: header})
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// Expect asks an edge and fails the test unless the answer has this status and, if it is a problem, this code.
func (s *Story) Expect(edge *Edge, path string, header http.Header, status int, code string) Response {
	s.t.Helper()
	answer := s.Send(edge, http.MethodGet, path, header)
	if answer.Status != status || answer.Code() != code {
		s.t.Fatalf("GET %s on %s: %s; want %d %s", path, edge.Name, answer, status, code)
	}
	return answer
}

// ExpectAll is Expect on every edge.
func (s *Story) ExpectAll(path string, header http.Header, status int, code string) {
	s.t.Helper()
	for _, edge := range s.Edges() {
		s.Expect(edge, path, header, status, code)
	}
}

// Metrics returns what an edge shows now.
func (s *Story) Metrics(edge *Edge) Metrics {
	s.t.Helper()
	metrics, err := edge.Metrics(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return metrics
}

// WithKey returns the header that presents an API key where the kind looks by default.
func WithKey(key string) http.Header { return http.Header{"X-Api-Key": {key}} }
