package issuers

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/token"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

type jwkKey = jwk.Key

func newPair(t testing.TB, name string) (jwk.Key, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.New(name, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA, public)
	if err != nil {
		t.Fatal(err)
	}
	return key, private
}

func signed(t testing.TB, private ed25519.PrivateKey, header, payload string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(text)))
}

func verify(i *Issuer, text string) (*token.Verified, error) {
	parsed, err := token.Parse(text)
	if err != nil {
		return nil, err
	}
	return i.Verify(parsed)
}

func anywhere(string, string, syscall.RawConn) error { return nil }

// provider serves what each path says.
func provider(t *testing.T, answers map[string]func(http.ResponseWriter)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func says(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write([]byte(text)) }
}

func TestKeysAreFetchedWhereDiscoverySaysAndNowhereElse(t *testing.T) {
	key := newKey(t, "a")
	set := `{"keys":[` + string(key.AppendJSON(nil)) + `,{"kty":"oct","k":"c2VjcmV0"}]}`
	answers := map[string]func(http.ResponseWriter){
		"/jwks": says(set), "/empty": says(`{"keys":[]}`), "/text": says("hello"), "/long": says(`{"keys":[],"x":"` + strings.Repeat("x", maxDocument) + `"}`),
		"/moved": func(w http.ResponseWriter) { w.Header().Set("Location", "/jwks"); w.WriteHeader(http.StatusFound) },
	}
	at := provider(t, answers)
	document := func(issuer, uri string) func(http.ResponseWriter) {
		return says(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, uri))
	}
	answers["/.well-known/openid-configuration"] = document(at, at+"/jwks")
	answers["/tenant/.well-known/openid-configuration"] = document(at+"/tenant", at+"/jwks")
	answers["/other"] = document("https://other.example", at+"/jwks")
	answers["/plain"] = document(at, "http://login.example/jwks")
	answers["/file"] = document(at, "file:///etc/passwd")
	answers["/twice"] = says(`{"issuer":"` + at + `","issuer":"` + at + `","jwks_uri":"` + at + `/jwks"}`)
	from := configv1.FetchFrom_FETCH_FROM_EDGE
	discovery := func(issuer, url string) *configv1.Issuer {
		return &configv1.Issuer{Issuer: issuer, FetchFrom: &from, Keys: &configv1.Issuer_Discovery{Discovery: &configv1.Discovery{Url: url}}}
	}
	jwks := func(path string) *configv1.Issuer {
		return &configv1.Issuer{Issuer: at, FetchFrom: &from, Keys: &configv1.Issuer_JwksUrl{JwksUrl: at + path}}
	}
	for name, test := range map[string]struct {
		issuer *configv1.Issuer
		want   string // of the error; "": none
	}{
		"discovery":           {discovery(at, ""), ""},
		"below a path":        {discovery(at+"/tenant", ""), ""},
		"slash at the end":    {discovery(at+"/tenant/", ""), "another issuer's"},
		"another's document":  {discovery(at, at+"/other"), "another issuer's"},
		"keys in the open":    {discovery(at, at+"/plain"), "no https address"},
		"keys in a file":      {discovery(at, at+"/file"), "no https address"},
		"a name twice":        {discovery(at, at+"/twice"), "no JSON object"},
		"no document":         {discovery(at, at+"/none"), "status 404"},
		"jwks":                {jwks("/jwks"), ""},
		"a redirect":          {jwks("/moved"), "status 302"},
		"an empty set":        {jwks("/empty"), errNoKeys.Error()},
		"no set":              {jwks("/text"), "jwk:"},
		"an answer too long":  {jwks("/long"), "more than"},
		"nobody is listening": {&configv1.Issuer{FetchFrom: &from, Keys: &configv1.Issuer_JwksUrl{JwksUrl: "http://127.0.0.1:1/jwks"}}, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newSource(test.issuer)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := s.fetch(t.Context(), anywhere)
			switch {
			case test.want == "" && (err != nil || len(keys) != 1 || keys[0].Thumbprint != key.Thumbprint):
				t.Errorf("%d keys, %v", len(keys), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	refused := errors.New("refused")
	s, err := newSource(jwks("/jwks"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.fetch(t.Context(), func(string, string, syscall.RawConn) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("where nobody may connect: %v", err)
	}
}

func TestOnlyNodesThatAreToFetchDo(t *testing.T) {
	for from, fetches := range map[configv1.FetchFrom]bool{
		configv1.FetchFrom_FETCH_FROM_CONTROL: false, configv1.FetchFrom_FETCH_FROM_EDGE: true, configv1.FetchFrom_FETCH_FROM_BOTH: true,
	} {
		s, err := newSource(&configv1.Issuer{FetchFrom: &from, Keys: &configv1.Issuer_JwksUrl{JwksUrl: "https://login.example/jwks"}})
		if err != nil || (s != nil) != fetches {
			t.Errorf("%s: %v, %v", from, s, err)
		}
		if s, err := newSource(&configv1.Issuer{FetchFrom: &from, Keys: &configv1.Issuer_Jwks{Jwks: "{}"}}); s != nil || err != nil {
			t.Errorf("%s, keys that are given: %v, %v", from, s, err)
		}
	}
	from := configv1.FetchFrom_FETCH_FROM_EDGE
	if _, err := newSource(&configv1.Issuer{FetchFrom: &from, Authorities: "none", Keys: &configv1.Issuer_JwksUrl{JwksUrl: "https://login.example/jwks"}}); err == nil {
		t.Error("authorities that are none are taken")
	}
}
