package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// addresses returns a policy of kind address-access.
func addresses(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "address-access", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

func ranges(texts ...string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = map[string]any{"range": text}
	}
	return list
}

// Who may come in is decided by the client's address, as a trusted proxy tells it: so the environment is the story's own.
func TestAddressesComeInByTheListsOfEveryLevel(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{"127.0.0.1/32"}})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
	from := func(address string) http.Header {
		header := harness.WithKey(p.Key.Key)
		header.Set("X-Forwarded-For", address)
		return header
	}

	many := []string{"198.51.100.0/24", "2001:db8::/32"}
	for i := range 9_998 {
		many = append(many, fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff))
	}
	s.Policy(addresses(s.Name("allow"), sallyport.Attachment{Environment: true}, map[string]any{"allow": ranges(many...)}))
	s.Policy(addresses(s.Name("deny"), sallyport.Attachment{Route: p.Route.Name}, map[string]any{"deny": ranges("10.7.7.7", "2001:db8:bad::/48")}))

	for _, in := range []string{"10.7.7.8", "10.39.13.1", "198.51.100.9", "2001:db8::1", "::ffff:10.0.0.1"} {
		s.ExpectAll("/", from(in), http.StatusOK, "")
	}
	reached := len(upstream.Requests())
	for _, out := range []string{"10.7.7.7", "::ffff:10.7.7.7", "10.39.14.1", "2001:db8:bad::1", "2001:db9::1", "192.0.2.1"} {
		s.ExpectAll("/", from(out), http.StatusForbidden, "address_not_allowed")
	}
	s.ExpectAll("/", nil, http.StatusForbidden, "address_not_allowed") // before anybody asks for a key
	if got := len(upstream.Requests()); got != reached {
		t.Errorf("%d requests from addresses that may not come in reached the service", got-reached)
	}
}

func TestARangeThatIsWrittenWronglyIsRefusedWithItsRightForm(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	policy := addresses(s.Name("bad"), sallyport.Attachment{Environment: true}, map[string]any{"allow": ranges("10.0.0.1/8", "10.0.0.0/8"), "deny": ranges("x", "192.0.2.7", "192.0.2.7/32")})
	made, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, policy)
	problem := refused(t, "invalid_request", made, err)
	names(t, problem, map[string]string{
		"/config/allow/0/range": "invalid_format", "/config/deny/0/range": "invalid_format", "/config/deny/2/range": "not_unique",
	})
}
