package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// The settings are a whole environment's: it has one of its own.
func TestOnlyATrustedProxyMayNameTheClientsAddress(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	pinned := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Addresses: []string{"192.0.2.7/32"}})
	from := func(addresses string) http.Header {
		header := harness.WithKey(pinned.Key)
		header.Set("X-Forwarded-For", addresses)
		return header
	}
	s.ExpectAll("/", from("192.0.2.7"), http.StatusForbidden, "address_not_allowed")

	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{"127.0.0.1/32", "198.51.100.0/24"}})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)

	s.ExpectAll("/", from("192.0.2.7"), http.StatusOK, "")
	s.ExpectAll("/", from("192.0.2.7, 198.51.100.3"), http.StatusOK, "")
	// What the last address that isn't trusted says of others is its own invention.
	s.ExpectAll("/", from("192.0.2.7, 203.0.113.9"), http.StatusForbidden, "address_not_allowed")
	s.ExpectAll("/", from("203.0.113.9, 198.51.100.3"), http.StatusForbidden, "address_not_allowed")
	s.ExpectAll("/", harness.WithKey(pinned.Key), http.StatusForbidden, "address_not_allowed")
	for _, request := range upstream.Requests() {
		if got := request.Header.Get("X-Real-Ip"); got != "192.0.2.7" {
			t.Errorf("the service was told that %s calls", got)
		}
	}
}
