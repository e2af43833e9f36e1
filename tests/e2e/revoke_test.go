package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestARevokedKeyIsRefusedOnEveryEdge(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	other := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	before := len(upstream.Requests())

	s.Revoke(p.Key)

	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	if got := len(upstream.Requests()); got != before {
		t.Errorf("a revoked key reached the service %d times", got-before)
	}
	s.ExpectAll("/", harness.WithKey(other.Key), http.StatusOK, "")
}

func TestDeletingAConsumerWithKeysIsRefusedAndNamesThem(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)

	answer, err := s.API.DeleteConsumerWithResponse(t.Context(), s.Environment.Name, p.Consumer.ID, nil)
	problem := refused(t, "referenced", answer, err)

	if len(problem.Referrers) != 1 || problem.Referrers[0].ID != p.Key.ID || problem.Referrers[0].Collection != "api-keys" {
		t.Errorf("referrers are %+v, want the key %s", problem.Referrers, p.Key.ID)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}

// shortLife is that of what ends within a story: long enough to be of use first, on a machine that is busy with thirty others.
const shortLife = 20 * time.Second

func TestAKeyIsRefusedOnceItExpires(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	long := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, ExpiresAt: time.Now().Add(time.Hour)})
	short := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, ExpiresAt: time.Now().Add(shortLife)})
	s.ExpectAll("/", harness.WithKey(short.Key), http.StatusOK, "")

	harness.Eventually(t, time.Minute, func() error { return until(s, short, http.StatusUnauthorized) })

	s.ExpectAll("/", harness.WithKey(short.Key), http.StatusUnauthorized, "credential_expired")
	s.ExpectAll("/", harness.WithKey(long.Key), http.StatusOK, "")
}

// A key is shown when it is made, and by nothing after that.
func TestAKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	key := s.Key(sallyport.APIKey{Consumer: s.Consumer("consumer").Name})
	if !strings.HasPrefix(key.Key, "spk_"+s.Environment.Name+"_") || !strings.HasPrefix(key.Key, key.Prefix) ||
		!strings.HasSuffix(key.Key, key.LastFour) || len(key.LastFour) != 4 {
		t.Fatalf("the key that was made reads %+v", key)
	}

	one, err := s.API.GetAPIKeyWithResponse(t.Context(), s.Environment.Name, key.ID)
	s.Must(one, err)
	all, err := s.API.ListAPIKeysWithResponse(t.Context(), s.Environment.Name, &sallyport.ListAPIKeysParams{Limit: pointer(500)})
	s.Must(all, err)

	for _, shown := range [][]byte{one.Body, all.Body} {
		if !strings.Contains(string(shown), key.ID) {
			t.Errorf("the key %s isn't there: %s", key.ID, shown)
		}
		if strings.Contains(string(shown), key.Key) {
			t.Error("the key was shown again")
		}
	}
}
