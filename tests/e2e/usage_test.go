package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Its environment is its own, so that the counts are of nothing else.
func TestUsageEqualsTheRequestsSent(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, byPath{}).Address)
	narrow := s.Route(sallyport.Route{Name: s.Name("narrow"), Service: p.Service.Name, Paths: harness.Below("/narrow")})
	s.Policy(harness.APIKeys(s.Name("scoped"), sallyport.Attachment{Route: narrow.Name}, "narrow"))
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Route: narrow.Name}, 4, "24h"))
	second := s.Consumer("second")
	secondKey := s.Key(sallyport.APIKey{Consumer: second.Name, Scopes: []string{"narrow"}})

	sent := harness.Usage{}
	send := func(times int, path string, key string, status int, counted harness.UsageKey) {
		t.Helper()
		header := http.Header{}
		if key != "" {
			header = harness.WithKey(key)
		}
		for n := range times {
			edge := s.Edges()[n%len(s.Edges())]
			if answer := s.Send(edge, http.MethodGet, path, header.Clone()); answer.Status != status {
				t.Fatalf("%s was answered %s, want %d", path, answer, status)
			}
		}
		counted.StatusClass = status / 100
		sent[counted] += times
	}
	route, first := p.Route.ID, p.Consumer.ID
	send(40, "/", p.Key.Key, 200, harness.UsageKey{Route: route, Consumer: first, Verdict: "allowed"})
	send(13, "/", secondKey.Key, 200, harness.UsageKey{Route: route, Consumer: second.ID, Verdict: "allowed"})
	send(6, "/missing", p.Key.Key, 404, harness.UsageKey{Route: route, Consumer: first, Verdict: "allowed"})
	send(4, "/broken", p.Key.Key, 500, harness.UsageKey{Route: route, Consumer: first, Verdict: "allowed"})
	send(9, "/", "", 401, harness.UsageKey{Route: route, Verdict: "credential_missing"})
	send(7, "/", "spk_test_wrong", 401, harness.UsageKey{Route: route, Verdict: "credential_invalid"})
	send(5, "/narrow", p.Key.Key, 403, harness.UsageKey{Route: narrow.ID, Consumer: first, Verdict: "scope_missing"})
	send(8, "/narrow", secondKey.Key, 200, harness.UsageKey{Route: narrow.ID, Consumer: second.ID, Verdict: "allowed"})
	send(6, "/narrow", secondKey.Key, 429, harness.UsageKey{Route: narrow.ID, Consumer: second.ID, Verdict: "rate_limited"})
	send(3, "/a/../b", "", 400, harness.UsageKey{Verdict: "path_refused"})

	arrived := func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		return usage.Check(sent)
	}
	harness.Eventually(t, time.Minute, arrived)
	// Batches of a node are counted in their order: once what comes after them is there, nothing of them comes twice.
	send(2, "/", p.Key.Key, 200, harness.UsageKey{Route: route, Consumer: first, Verdict: "allowed"})
	harness.Eventually(t, time.Minute, arrived)
}

// byPath answers with the status that the path stands for.
type byPath struct{}

func (byPath) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/missing":
		w.WriteHeader(http.StatusNotFound)
	case "/broken":
		w.WriteHeader(http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusOK)
	}
}
