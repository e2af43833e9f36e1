package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// MaxAge is how long a set of keys is used before it is fetched again: as long as the gateway says. A leaked key that the gateway has taken
	// back is believed no longer than that.
	MaxAge = 5 * time.Minute
	// Grace is how long keys are believed while they can't be fetched: the gateway signs on when what publishes its keys is down.
	Grace = 24 * time.Hour
	// pause is the least time between two fetches, however many tokens name keys that nobody has.
	pause = time.Second
	// retry is how long a set that is too old is used on before it is tried again to fetch another.
	retry = 10 * time.Second
	// maxSet bounds the answer, in bytes.
	maxSet = 256 << 10
)

// key is a public key of the gateway.
type key struct {
	algorithm string
	public    any // ed25519.PublicKey or *ecdsa.PublicKey
}

// keys are the gateway's, as last fetched.
type keys struct {
	url    string
	client *http.Client
	now    func() time.Time
	turn   chan struct{} // whoever fetches

	mu      sync.RWMutex
	known   map[string]*key
	fetched time.Time // the last that went well
	tried   time.Time
	failed  error // of the last try
}

// find returns the key of a name, and fetches the set if that may have changed.
func (k *keys) find(ctx context.Context, id string) (*key, error) {
	found, fetch := k.look(id)
	if found != nil && !fetch {
		return found, nil
	}
	if found != nil {
		select {
		case k.turn <- struct{}{}:
		default: // somebody is at it
			return found, nil
		}
	} else {
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("identity: wait for the keys: %w", ctx.Err())
		}
	}
	defer func() { <-k.turn }()
	if found, fetch = k.look(id); fetch {
		k.fetch(context.WithoutCancel(ctx)) // others wait for it too
		found, _ = k.look(id)
	}
	switch {
	case found != nil:
		return found, nil
	case k.failed != nil:
		return nil, k.failed // whoever has the turn is alone
	}
	return nil, refused("nobody knows its key")
}

// look returns the key if it is known and may be believed, and whether the set is to be fetched.
func (k *keys) look(id string) (found *key, fetch bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	now := k.now()
	age, rest := now.Sub(k.fetched), now.Sub(k.tried)
	if age < Grace {
		found = k.known[id]
	}
	if found == nil {
		return nil, rest >= pause
	}
	return found, age >= MaxAge && rest >= retry
}

func (k *keys) fetch(ctx context.Context) {
	known, err := k.get(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failed = k.now(), err
	if err == nil {
		k.known, k.fetched = known, k.tried
	}
}

func (k *keys) get(ctx context.Context) (map[string]*key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("identity: fetch the keys: %w", err)
	}
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("identity: fetch the keys: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("identity: fetch the keys: answered %s", answer.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxSet))
	if err != nil {
		return nil, fmt.Errorf("identity: fetch the keys: %w", err)
	}
	return readSet(raw)
}

// published is a key as the gateway shows it (RFC 7517).
type published struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// readSet reads a set of keys. What this package doesn't know is left out (RFC 7517, section 5).
func readSet(raw []byte) (map[string]*key, error) {
	var set struct{ Keys []published }
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("identity: the keys are no JWKS: %w", err)
	}
	known := make(map[string]*key, len(set.Keys))
	for _, p := range set.Keys {
		if public := p.read(); public != nil && p.ID != "" {
			known[p.ID] = &key{algorithm: p.Algorithm, public: public}
		}
	}
	return known, nil
}

func (p *published) read() any {
	x, err := base64.RawURLEncoding.DecodeString(p.X)
	if err != nil {
		return nil
	}
	switch {
	case p.Type == "OKP" && p.Curve == "Ed25519" && p.Algorithm == "EdDSA" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x)
	case p.Type == "EC" && p.Curve == "P-256" && p.Algorithm == "ES256" && len(x) == scalarBytes:
		y, err := base64.RawURLEncoding.DecodeString(p.Y)
		if err != nil {
			return nil
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return nil
		}
		return public
	}
	return nil
}
