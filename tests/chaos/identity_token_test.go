package chaos

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Services go on learning who calls, and by what to check it, whatever becomes of the control plane.
func TestAnEdgeThatStartsAloneOffAFileSignsIdentityTokens(t *testing.T) {
	const path = "/.well-known/identity-keys"
	s := product.OwnStory(t, 0, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Settings(map[string]any{"identity_keys_path": path})
	s.Policy(sallyport.Policy{
		Name: s.Name("who"), Kind: "identity-token", AttachedTo: []sallyport.Attachment{{Service: p.Service.Name}},
		Config: map[string]any{"token": map[string]any{"issuer": "https://gateway.test"}},
	})
	published, err := s.API.GetIdentityKeysWithResponse(t.Context(), s.Environment.Name)
	s.Must(published, err)
	file, key := export(t, s)
	edge := startFrom(t, s, "", file, key)

	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	requests := upstream.Requests()
	head, _, _ := strings.Cut(requests[len(requests)-1].Header.Get("X-Identity-Token"), ".")
	var named struct{ Kid string }
	if raw, err := base64.RawURLEncoding.DecodeString(head); err != nil || json.Unmarshal(raw, &named) != nil || named.Kid == "" {
		t.Fatalf("the service was told %v", requests[len(requests)-1].Header)
	}
	if here := s.Send(edge, http.MethodGet, path, nil); !bytes.Contains(here.Body, []byte(named.Kid)) || !bytes.Equal(here.Body, published.Body) {
		t.Errorf("it publishes %s, the control plane %s", here.Body, published.Body)
	}
	told, err := edge.Metrics(t.Context())
	if err != nil || told.Sum("sallyport_edge_identity_tokens_held") != 1 {
		t.Errorf("%v tokens are held: %v", told.Sum("sallyport_edge_identity_tokens_held"), err)
	}
}
