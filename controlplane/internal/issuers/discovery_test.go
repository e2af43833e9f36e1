package issuers_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
)

// discoverable serves a discovery document at a path, which names an issuer and a key set; "{url}" in them is the server's own address.
func discoverable(t *testing.T, path, of, keysAt string, keys ...object) *provider {
	t.Helper()
	p := serve(t)
	p.do(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		own := strings.NewReplacer("{url}", "http://"+r.Host)
		switch r.URL.Path {
		case path:
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"https://x.test","id_token_signing_alg_values_supported":["EdDSA"]}`, own.Replace(of), own.Replace(keysAt))
		case "/keys":
			_, _ = fmt.Fprint(w, set(keys...))
		case "/moved":
			http.Redirect(w, r, "https://login.example/keys", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
	return p
}

const wellKnown = "/.well-known/openid-configuration"

func TestKeysAreFoundByTheIssuersOwnDiscoveryDocument(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := key(t, "a")
	for name, c := range map[string]struct {
		path, of, keysAt string // of the document
		issuer, url      string // as configured
		want             string // a part of the error; "": the key is found
	}{
		"its own":                     {wellKnown, "{url}", "{url}/keys", "{url}", "", ""},
		"below a path":                {"/tenant" + wellKnown, "{url}/tenant", "{url}/keys", "{url}/tenant", "", ""},
		"elsewhere (RFC 8414)":        {"/.well-known/oauth-authorization-server/tenant", "https://login.test/tenant", "{url}/keys", "https://login.test/tenant", "{url}/.well-known/oauth-authorization-server/tenant", ""},
		"of another issuer":           {wellKnown, "https://other.test", "{url}/keys", "{url}", "", "another issuer's"},
		"of another by a slash":       {wellKnown, "{url}/", "{url}/keys", "{url}", "", "another issuer's"},
		"elsewhere, of another":       {"/document", "https://other.test", "{url}/keys", "https://login.test", "{url}/document", "another issuer's"},
		"without a key set":           {wellKnown, "{url}", "", "{url}", "", "names no key set"},
		"not there":                   {"/", "{url}", "{url}/keys", "{url}", "", "the status is 404"},
		"with keys within":            {wellKnown, "{url}", "https://10.0.0.1/keys", "{url}", "", "private"},
		"with keys at the metadata":   {wellKnown, "{url}", "https://169.254.169.254/latest", "{url}", "", "metadata"},
		"with keys in plain":          {wellKnown, "{url}", "http://login.example/keys", "{url}", "", "https://"},
		"with keys in a file":         {wellKnown, "{url}", "file:///etc/passwd", "{url}", "", "isn't asked"},
		"with keys behind a redirect": {wellKnown, "{url}", "{url}/moved", "{url}", "", "somebody else"},
	} {
		p := discoverable(t, c.path, c.of, c.keysAt, a)
		own := strings.NewReplacer("{url}", p.URL)
		discovery := object{}
		if c.url != "" {
			discovery["url"] = own.Replace(c.url)
		}
		id := r.write(publish.Create, "", issuer("login", own.Replace(c.issuer), object{"discovery": discovery})).Outcomes[0].ID
		r.look()
		keys := r.keys(id)
		switch {
		case c.want == "" && (keys.GetError() != "" || len(keys.GetKeys()) != 1):
			t.Errorf("%s: %d keys, %q", name, len(keys.GetKeys()), keys.GetError())
		case c.want != "" && (!strings.Contains(keys.GetError(), c.want) || len(keys.GetKeys()) != 0 || strings.Contains(keys.GetError(), "http://127.0.0.1")):
			t.Errorf("%s: %d keys, %q, want %q", name, len(keys.GetKeys()), keys.GetError(), c.want)
		}
		r.write(publish.Delete, "login", nil)
	}
}

func TestAnIssuerIsBelievedByItsOwnAuthorities(t *testing.T) {
	t.Parallel()
	r := start(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, set(key(t, "a"))) }))
	t.Cleanup(server.Close)
	id := r.make("login", server.URL)
	r.look()
	if keys := r.keys(id); !strings.Contains(keys.GetError(), "certificate") || len(keys.GetKeys()) != 0 {
		t.Errorf("a server that nobody knows: %v", keys)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	r.write(publish.Patch, "login", object{"authorities": string(authority)})
	r.look()
	r.want(id, "a", 0)
}
