package e2e

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// The window is so long that nothing of it comes back while the test runs.
func TestARequestBeyondTheLimitIsRefusedAndToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	const limit = 5
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Route: p.Route.Name}, limit, "24h"))
	second := s.Consumer("second")
	key := s.Key(sallyport.APIKey{Consumer: second.Name})

	policy := `"` + s.Name("limit") + `";q=5;w=86400`
	for _, edge := range s.Edges() {
		for left := limit - 1; left >= 0; left-- {
			answer := s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
			if got := answer.Header.Get("RateLimit-Policy"); got != policy {
				t.Errorf("RateLimit-Policy is %q, want %q", got, policy)
			}
			if got := remaining(t, answer); got != left {
				t.Errorf("%d requests remain, want %d", got, left)
			}
		}
		answer := s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusTooManyRequests, "rate_limited")
		if remaining(t, answer) != 0 || answer.Header.Get("RateLimit-Policy") != policy {
			t.Errorf("the refusal's fields are %v", answer.Header)
		}
		after, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if window := int((24 * time.Hour).Seconds()); err != nil || after < 1 || after > window/limit+1 {
			t.Errorf("Retry-After is %q, want seconds until the next request can pass, at most %d", answer.Header.Get("Retry-After"), window/limit)
		}
		s.Expect(edge, "/", harness.WithKey(key.Key), http.StatusOK, "")
	}
	if got, want := len(upstream.Requests()), len(s.Edges())*(limit+1); got != want {
		t.Errorf("the service was reached %d times, want %d", got, want)
	}
}

func TestALimitLetsPassAgainWhenItSaid(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Route: p.Route.Name}, 1, "2s"))
	edge := s.Edges()[0]
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")

	harness.Eventually(t, time.Minute, func() error { return until(s, p.Key, http.StatusOK) })
}

var rateLimit = regexp.MustCompile(`^"[^"]+";r=(\d+);t=(\d+)$`)

// remaining reads the field RateLimit.
func remaining(t *testing.T, answer harness.Response) int {
	t.Helper()
	found := rateLimit.FindStringSubmatch(answer.Header.Get("RateLimit"))
	if found == nil {
		t.Fatalf("RateLimit is %q", answer.Header.Get("RateLimit"))
	}
	left, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return left
}
