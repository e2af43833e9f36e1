package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// issuer is a token issuer on this machine: a discovery document, and the keys that it shows now.
type issuer struct {
	*httptest.Server
	keys  atomic.Value // string
	asked atomic.Int64
}

func newIssuer(t *testing.T, keys ...map[string]string) *issuer {
	t.Helper()
	i := new(issuer)
	i.show(t, keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"issuer":"http://%[1]s","jwks_uri":"http://%[1]s/keys"}`, r.Host)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		_, _ = fmt.Fprint(w, i.keys.Load())
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) show(t *testing.T, keys ...map[string]string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	i.keys.Store(string(text))
}

// publicKey is a new one as an issuer shows it.
func publicKey(t *testing.T, kid string) map[string]string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "x": base64.RawURLEncoding.EncodeToString(public)}
}

func kids(keys []sallyport.IssuerKey) string {
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.Kid)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// keysAre waits until an issuer has these keys for good and these for retired.
func keysAre(t *testing.T, s *harness.Story, name, good, retired string) sallyport.IssuerKeys {
	t.Helper()
	var last sallyport.IssuerKeys
	harness.Eventually(t, time.Minute, func() error {
		answer, err := s.API.GetIssuerKeysWithResponse(t.Context(), s.Environment.Name, name)
		if err := sallyport.Check(answer, err); err != nil {
			return err
		}
		last = *answer.JSON200
		if kids(last.Keys) != good || kids(last.Retired) != retired {
			return fmt.Errorf("it has the keys %q and %q retired: %s", kids(last.Keys), kids(last.Retired), last.Error)
		}
		return nil
	})
	return last
}

// tokensOf is an issuer whose tokens name their consumer.
func tokensOf(name, of string) sallyport.Issuer {
	return sallyport.Issuer{Name: name, Issuer: of, Audiences: []string{"https://api.test"}, Consumer: sallyport.ConsumerMapping{NameClaim: "client_id"}}
}

func TestKeysOfAnIssuerComeAndGoByThemselvesAndByNoRollback(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	a, b := publicKey(t, "a"), publicKey(t, "b")
	provider := newIssuer(t, a)
	body := tokensOf("login", provider.URL)
	body.Discovery, body.RefreshInterval = &sallyport.Discovery{}, pointer("5s")
	made, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, nil, body)
	s.Must(made, err)
	first := s.Head().Revision
	keys := keysAre(t, s, "login", "a", "")
	if keys.Source != "control" || keys.Issuer != made.JSON201.ID || keys.FetchedAt.IsZero() || keys.Keys[0].Algorithm != "EdDSA" || keys.Keys[0].Thumbprint == "" || keys.Keys[0].Since.IsZero() {
		t.Errorf("it is shown as %+v", keys)
	}

	provider.show(t, a, b)
	refreshed, err := s.API.RefreshIssuerKeysWithResponse(t.Context(), s.Environment.Name, "login")
	s.Must(refreshed, err)
	if !refreshed.JSON200.Fetched || kids(refreshed.JSON200.Keys) != "a b" {
		t.Errorf("asked for it at once: %+v", refreshed.JSON200)
	}
	provider.show(t, b)
	keysAre(t, s, "login", "b", "a")

	patched, err := s.API.PatchIssuerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, "login", nil, map[string]any{"description": "signs in"})
	s.Must(patched, err)
	rollback(t, s, first)
	keysAre(t, s, "login", "b", "a")

	provider.Close()
	harness.Eventually(t, time.Minute, func() error {
		if down := keysAre(t, s, "login", "b", "a"); down.Failures < 2 || !strings.Contains(down.Error, "refused") {
			return fmt.Errorf("of an issuer that is down is said: %d failures, %q", down.Failures, down.Error)
		}
		return nil
	})
}

func TestNoRollbackBringsBackAKeyThatTheConfigurationGives(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	give := func(keys ...map[string]string) string {
		text, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	a, b := publicKey(t, "a"), publicKey(t, "b")
	body := tokensOf("login", "https://login.test")
	body.Jwks = give(a, b)
	made, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, nil, body)
	s.Must(made, err)
	first := s.Head().Revision
	keysAre(t, s, "login", "a b", "")
	patched, err := s.API.PatchIssuerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, "login", nil, map[string]any{"jwks": give(b)})
	s.Must(patched, err)
	keysAre(t, s, "login", "b", "a")

	if back := rollback(t, s, first); !strings.Contains(strings.Join(back.Warnings, " "), `(kid "a")`) {
		t.Errorf("the rollback warns of %q", back.Warnings)
	}
	keysAre(t, s, "login", "b", "a")
	again, err := s.API.RefreshIssuerKeysWithResponse(t.Context(), s.Environment.Name, "login")
	s.Must(again, err)
	keysAre(t, s, "login", "a b", "")
}

func TestTheControlPlaneAsksNobodyWithinTheNetwork(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	for name, address := range map[string]string{"private": "https://10.255.255.1/keys", "metadata": "https://169.254.169.254/latest/meta-data", "other": "https://192.168.255.1:1/keys"} {
		body := tokensOf(name, "https://login.test/"+name)
		body.JwksURL = address
		made, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, nil, body)
		s.Must(made, err)
		harness.Eventually(t, time.Minute, func() error {
			answer, err := s.API.GetIssuerKeysWithResponse(t.Context(), s.Environment.Name, name)
			if err := sallyport.Check(answer, err); err != nil {
				return err
			}
			if got := answer.JSON200; got.Failures == 0 || !strings.Contains(got.Error, "address refused") {
				return fmt.Errorf("%s: %d failures, %q", name, got.Failures, got.Error)
			}
			return nil
		})
	}
	body := tokensOf("plain", "https://login.test")
	body.JwksURL = "http://login.test/keys"
	answer, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, nil, body)
	names(t, refused(t, "invalid_request", answer, err), map[string]string{"/jwks_url": "invalid_format"})
}
