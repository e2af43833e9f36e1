package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ErrRefused is wrapped by every error of a token that isn't good. The reason is for logs, not for callers.
var ErrRefused = errors.New("identity: the token is refused")

// Config says whose tokens a service takes.
type Config struct {
	// KeysURL is where the gateway publishes its keys: the edge's identity_keys_path, or …/api/v1/environments/{environment}/identity-keys of the
	// control plane.
	KeysURL string
	// Issuer is what tokens must say in "iss", as the gateway's policy has it.
	Issuer string
	// Audience is what tokens must say in "aud": the service's name at the gateway, unless the policy says otherwise.
	Audience string
	// Header that holds the token; "": X-Identity-Token.
	Header string
	// Leeway is by how much the gateway's clock may be off; 0: 30 s.
	Leeway time.Duration
	// Client fetches keys; nil: one of its own, which gives up after 5 s and follows no redirect.
	Client *http.Client
	// Now tells the time; nil: the machine's.
	Now func() time.Time
}

const (
	defaultHeader = "X-Identity-Token"
	defaultLeeway = 30 * time.Second
	fetchTimeout  = 5 * time.Second
	// maxToken bounds what is looked at, in bytes.
	maxToken = 16 << 10
	// maxClock is the largest time that is read, in seconds: beyond it a float is no whole number any more.
	maxClock = 1 << 53

	scalarBytes = 32
)

// Checker checks tokens. It is safe for concurrent use.
type Checker struct {
	config Config
	keys   keys
}

// New returns a checker. It fetches nothing yet, so that a service starts without its gateway.
func New(config Config) (*Checker, error) {
	if config.KeysURL == "" || config.Issuer == "" || config.Audience == "" {
		return nil, errors.New("identity: KeysURL, Issuer and Audience are needed: a token for another service is none for this one")
	}
	if config.Header == "" {
		config.Header = defaultHeader
	}
	if config.Leeway == 0 {
		config.Leeway = defaultLeeway
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Client == nil {
		config.Client = &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Checker{config: config, keys: keys{url: config.KeysURL, client: config.Client, now: config.Now, turn: make(chan struct{}, 1)}}, nil
}

// head is a token's own head.
type head struct {
	Algorithm string   `json:"alg"`
	KeyID     string   `json:"kid"`
	Critical  []string `json:"crit"`
}

// said is what a token says.
type said struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	Scope     string   `json:"scope"`
	IDP       string   `json:"idp"`
	IDPSub    string   `json:"idp_sub"`
	Consumer  struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"consumer"`
}

// Check checks a token and returns who calls. Its error wraps [ErrRefused] if the token is at fault, and not if the keys can't be fetched.
func (c *Checker) Check(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxToken {
		return nil, refused("it is too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, refused("it hasn't three parts")
	}
	var h head
	if _, err := decode(parts[0], &h); err != nil {
		return nil, err
	}
	if h.Critical != nil || h.KeyID == "" {
		return nil, refused("its head names no key, or something that must be understood")
	}
	key, err := c.keys.find(ctx, h.KeyID)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !key.signed(h.Algorithm, token[:len(parts[0])+1+len(parts[1])], signature) {
		return nil, refused("its signature isn't good")
	}
	var s said
	payload, err := decode(parts[1], &s)
	if err != nil {
		return nil, err
	}
	if err := c.fits(&s); err != nil {
		return nil, err
	}
	return &Caller{
		Subject: s.Subject, ConsumerID: s.Consumer.ID, ConsumerName: s.Consumer.Name, Scopes: strings.Fields(s.Scope), IDP: s.IDP, IDPSubject: s.IDPSub,
		Expires: time.Unix(int64(*s.Expires), 0), payload: payload,
	}, nil
}

// fits holds what a token says against what the service takes.
func (c *Checker) fits(s *said) error {
	now, leeway := float64(c.config.Now().Unix()), c.config.Leeway.Seconds()
	switch {
	case s.Issuer != c.config.Issuer:
		return refused("another issuer")
	case s.Audience != c.config.Audience:
		return refused("it is meant for another service")
	case s.Subject == "":
		return refused("it has no subject")
	case s.Expires == nil || math.Abs(*s.Expires) > maxClock || *s.Expires+leeway <= now:
		return refused("it has ended")
	case s.NotBefore != nil && *s.NotBefore-leeway > now:
		return refused("it hasn't begun")
	}
	return nil
}

// signed tells whether a signature is good. The key says by which algorithm, never the token alone (RFC 8725, section 3.1).
func (k *key) signed(algorithm, message string, signature []byte) bool {
	if algorithm != k.algorithm {
		return false
	}
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, []byte(message), signature)
	case *ecdsa.PublicKey:
		if len(signature) != 2*scalarBytes {
			return false
		}
		sum := sha256.Sum256([]byte(message))
		return ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:scalarBytes]), new(big.Int).SetBytes(signature[scalarBytes:]))
	}
	return false
}

// decode reads a part of a token as JSON, and returns its bytes.
func decode(part string, into any) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") || json.Unmarshal(raw, into) != nil {
		return nil, refused("a part of it isn't what it should be")
	}
	return slices.Clip(raw), nil
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
