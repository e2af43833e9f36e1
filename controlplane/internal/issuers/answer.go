package issuers

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

// askTimeout bounds one issuer's being asked, discovery document and key set together.
const askTimeout = 10 * time.Second

// Network is the way out. It is outbound.Errands: each connection is guarded, answers are bounded, none but a 200 is one, and a redirect
// leads to nobody else.
type Network interface {
	// Client returns a client that trusts authorities, those of the system where there are none, and what ends its connections.
	Client(authorities *x509.CertPool) (client *http.Client, done func())
	// Get fetches what an address holds.
	Get(ctx context.Context, client *http.Client, address string) ([]byte, error)
}

// answer is a key set as an issuer shows it.
type answer struct {
	keys     []jwk.Key
	unusable []directory.UnusableKey
}

var (
	errNoKeysAddress = errors.New(`the discovery document names no key set ("jwks_uri")`)
	errOtherIssuer   = errors.New("the discovery document is another issuer's: what it names isn't, to the letter, what is configured")
	errNoAuthority   = errors.New("the configured authorities can't be read")
)

// ask asks an issuer for its keys.
func ask(ctx context.Context, network Network, m *configv1.Issuer) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	authorities, err := authoritiesOf(m)
	if err != nil {
		return answer{}, err
	}
	client, done := network.Client(authorities)
	defer done()
	address := m.GetJwksUrl()
	if address == "" {
		if address, err = discover(ctx, client, m); err != nil {
			return answer{}, fmt.Errorf("the discovery document: %w", err)
		}
	}
	body, err := network.Get(ctx, client, address)
	if err != nil {
		return answer{}, fmt.Errorf("the key set: %w", err)
	}
	keys, unusable, err := jwk.ParseSet(body)
	if err != nil {
		return answer{}, fmt.Errorf("the key set: %w", err)
	}
	if len(keys) > directory.MaxIssuerKeys {
		return answer{}, fmt.Errorf("the key set: it has %d keys, and at most %d are kept", len(keys), directory.MaxIssuerKeys)
	}
	found := answer{keys: keys}
	for _, u := range unusable[:min(len(unusable), directory.MaxIssuerKeys)] {
		found.unusable = append(found.unusable, directory.UnusableKey{KeyID: u.ID, Reason: u.Err.Error()})
	}
	return found, nil
}

func authoritiesOf(m *configv1.Issuer) (*x509.CertPool, error) {
	if m.GetAuthorities() == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(m.GetAuthorities())) {
		return nil, errNoAuthority
	}
	return pool, nil
}

// discover returns the address of an issuer's key set. go-oidc holds the document to be the issuer's own.
func discover(ctx context.Context, client *http.Client, m *configv1.Issuer) (string, error) {
	if elsewhere := m.GetDiscovery().GetUrl(); elsewhere != "" {
		target, err := url.Parse(elsewhere)
		if err != nil {
			return "", err // it was checked when it was written
		}
		client = &http.Client{Transport: at{target, client}}
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), m.GetIssuer())
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return "", errOtherIssuer
	case err != nil:
		return "", err
	}
	var document struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil || document.Keys == "" {
		return "", errNoKeysAddress
	}
	return document.Keys, nil
}

// at asks one address, whatever is asked for: a discovery document that lies elsewhere than go-oidc looks for it.
type at struct {
	address *url.URL
	client  *http.Client
}

// RoundTrip implements http.RoundTripper.
func (a at) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL, r.Host = a.address, ""
	return a.client.Do(r) //nolint:gosec // the client is guarded: see Network
}

// maxWords bounds what is kept of an error, in bytes.
const maxWords = 500

// words says why an issuer couldn't be asked. It leaves addresses out: what is behind their "?" may be a secret.
func words(err error) string {
	var inner *url.Error
	text := err.Error()
	for errors.As(err, &inner) {
		text = strings.Replace(text, inner.Error(), inner.Err.Error(), 1)
		err = inner.Err
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}
