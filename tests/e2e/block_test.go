package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func block(t *testing.T, s *harness.Story, wanted sallyport.Block) sallyport.Block {
	t.Helper()
	made, err := s.API.CreateBlockWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateBlockParams{Wait: s.Wait()}, wanted)
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

func unblock(t *testing.T, s *harness.Story, made sallyport.Block) {
	t.Helper()
	gone, err := s.API.DeleteBlockWithResponse(t.Context(), s.Environment.Name, made.ID, &sallyport.DeleteBlockParams{Wait: s.Wait()})
	s.Must(gone, err)
	s.Applied(gone.HTTPResponse)
}

func TestABlockedKeyIsRefusedOnEveryEdgeAndOnlyThat(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	other := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})

	made := block(t, s, sallyport.Block{APIKey: p.Key.Name})

	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusForbidden, "blocked")
	s.ExpectAll("/", harness.WithKey(other.Key), http.StatusOK, "")
	unblock(t, s, made)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}

func TestABlockedConsumerIsRefusedWithEachOfItsKeys(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	second := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	stranger := s.Key(sallyport.APIKey{Consumer: s.Consumer("stranger").Name})

	made := block(t, s, sallyport.Block{Name: s.Name("block"), Consumer: p.Consumer.Name, Description: "fraud"})

	third := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name}) // also one that is made later
	for _, key := range []sallyport.APIKey{p.Key, second, third} {
		s.ExpectAll("/", harness.WithKey(key.Key), http.StatusForbidden, "blocked")
	}
	s.ExpectAll("/", harness.WithKey(stranger.Key), http.StatusOK, "")
	unblock(t, s, made)
	s.ExpectAll("/", harness.WithKey(third.Key), http.StatusOK, "")
}

// Who names the client is a matter of settings, a whole environment's: it has one of its own.
func TestABlockedAddressIsRefusedOnEveryRouteAndWhereThereIsNone(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("open"), Service: s.Service("open", upstream.Address).Name, Paths: harness.Below("/open"), Public: true})
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{"127.0.0.1/32"}})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
	from := func(addresses, key string) http.Header {
		header := http.Header{}
		if key != "" {
			header = harness.WithKey(key)
		}
		header.Set("X-Forwarded-For", addresses)
		return header
	}
	const scanner, neighbour = "192.0.2.7", "198.51.100.7"
	s.ExpectAll("/", from(scanner, p.Key.Key), http.StatusOK, "")

	made := block(t, s, sallyport.Block{Name: "scanner", AddressRange: "192.0.2.0/24"})
	before := len(upstream.Requests())

	s.ExpectAll("/", from(scanner, p.Key.Key), http.StatusForbidden, "blocked")
	s.ExpectAll("/", from(scanner, ""), http.StatusForbidden, "blocked") // before anybody looks for a key
	s.ExpectAll("/open", from(scanner, ""), http.StatusForbidden, "blocked")
	s.ExpectAll("/open", from("::ffff:"+scanner, ""), http.StatusForbidden, "blocked")
	s.ExpectAll("/open", from(neighbour+", "+scanner, ""), http.StatusForbidden, "blocked")
	if answer := s.SendTo(s.Edges()[0], http.MethodGet, "/", "nowhere.test", from(scanner, "")); answer.Code() != "blocked" {
		t.Errorf("where there is no route: %s", answer)
	}
	if got := len(upstream.Requests()); got != before {
		t.Errorf("a blocked client reached the service %d times", got-before)
	}
	s.ExpectAll("/", from(neighbour, p.Key.Key), http.StatusOK, "")
	s.ExpectAll("/open", from(scanner+", "+neighbour, ""), http.StatusOK, "") // the neighbour may write what it likes
	unblock(t, s, made)
	s.ExpectAll("/open", from(scanner, ""), http.StatusOK, "")
}

func TestABlockEndsByItself(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	made := block(t, s, sallyport.Block{Consumer: p.Consumer.ID, ExpiresAt: time.Now().Add(shortLife)})
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusForbidden, "blocked")

	harness.Eventually(t, time.Minute, func() error { return until(s, p.Key, http.StatusOK) })

	if at := time.Now(); at.Before(made.ExpiresAt) {
		t.Errorf("it ended %s early", made.ExpiresAt.Sub(at))
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}
