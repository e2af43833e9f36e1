package issuers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

const (
	// fetchTimeout bounds a look at an issuer, discovery included.
	fetchTimeout = 5 * time.Second
	// maxDocument bounds what an issuer answers, in bytes.
	maxDocument = jwk.MaxSet
	maxHeaders  = 16 << 10
	wellKnown   = "/.well-known/openid-configuration"
)

// source is where the node itself looks for an issuer's keys. It is immutable.
type source struct {
	issuer      string // as the discovery document must name it
	discovery   string // address of that; "": there is none
	jwks        string // address of the keys, where no document says it
	authorities *x509.CertPool
	every       time.Duration
}

var errNowhere = errors.New("keys: neither discovery nor jwks_url says where they are")

// newSource returns where the keys of an issuer are; nil: the node doesn't look for them.
func newSource(m *configv1.Issuer) (*source, error) {
	if from := m.GetFetchFrom(); from != configv1.FetchFrom_FETCH_FROM_EDGE && from != configv1.FetchFrom_FETCH_FROM_BOTH {
		return nil, nil //nolint:nilnil // nowhere is a place to look
	}
	s := &source{issuer: m.GetIssuer(), every: m.GetRefreshInterval().AsDuration()}
	switch keys := m.GetKeys().(type) {
	case *configv1.Issuer_Discovery:
		if s.discovery = keys.Discovery.GetUrl(); s.discovery == "" {
			s.discovery = strings.TrimSuffix(m.GetIssuer(), "/") + wellKnown
		}
	case *configv1.Issuer_JwksUrl:
		s.jwks = keys.JwksUrl
	case *configv1.Issuer_Jwks:
		return nil, nil //nolint:nilnil // they are given
	default:
		return nil, errNowhere
	}
	if m.GetAuthorities() != "" {
		if s.authorities = x509.NewCertPool(); !s.authorities.AppendCertsFromPEM([]byte(m.GetAuthorities())) {
			return nil, errors.New("authorities: no certificate in PEM")
		}
	}
	return s, nil
}

// guard is the hook of net.Dialer that refuses addresses which nobody may be made to connect to. It runs after the DNS, for each address.
type guard func(network, address string, c syscall.RawConn) error

// errNoKeys is an answer that may be a mishap: it takes several to be believed.
var errNoKeys = errors.New("keys: none can be used")

// fetch asks the issuer for its keys. Nothing is kept open: looks are rare.
func (s *source) fetch(ctx context.Context, guard guard) ([]jwk.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Control: guard}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: s.authorities, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeaders,
		},
		// What an address answers with isn't what somebody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	from := s.jwks
	if s.discovery != "" {
		var err error
		if from, err = s.discover(ctx, client); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	text, err := get(ctx, client, from)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	keys, unusable, err := jwk.ParseSet(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("keys: %w", err)
	case len(keys) == 0:
		return nil, fmt.Errorf("%w: of %d that are shown", errNoKeys, len(unusable))
	}
	return keys, nil
}

var (
	errDocument    = errors.New("no JSON object with each name once")
	errOtherIssuer = errors.New("the document is another issuer's: its \"issuer\" must be the configured one to the letter (OpenID Connect Discovery 1.0, section 4.3)")
	errJWKSURI     = errors.New("jwks_uri is no https address")
)

// discover returns where the issuer's own document says that its keys are.
func (s *source) discover(ctx context.Context, client *http.Client) (string, error) {
	text, err := get(ctx, client, s.discovery)
	if err != nil {
		return "", err
	}
	document, violations, err := jsontree.Parse(text)
	if err != nil || len(violations) > 0 || document.Kind != jsontree.Object {
		return "", errDocument
	}
	if named := document.Member("issuer"); named == nil || named.Kind != jsontree.String || named.Text != s.issuer {
		return "", errOtherIssuer
	}
	where := document.Member("jwks_uri")
	if where == nil || where.Kind != jsontree.String || !fetchable(where.Text) {
		return "", errJWKSURI
	}
	return where.Text, nil
}

// fetchable tells whether keys may be fetched from an address that a document names: over TLS, or from the machine itself.
func fetchable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

func get(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what, and names the address
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", from, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", from, err)
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%s answers with more than %d bytes", from, maxDocument)
	}
	return text, nil
}
