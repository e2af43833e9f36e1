package bus

import (
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

// issuers are the account's signing keys: the one that signs nodes' JWTs, and those whose JWTs the bus takes.
// Without any the account's own key signs, as it did in early builds; what it signed is always taken.
type issuers struct {
	mu      sync.Mutex
	signing nkeys.KeyPair
	public  []string
	changed func() // told of a change; nil: there is no bus yet
}

var _ fleet.BusIssuers = (*Keys)(nil)

// NewIssuer makes a signing key of the account.
func (k *Keys) NewIssuer() (public string, seed []byte, err error) {
	pair, err := nkeys.CreateAccount()
	if err != nil {
		return "", nil, fmt.Errorf("make a signing key of the bus: %w", err)
	}
	if public, err = pair.PublicKey(); err != nil {
		return "", nil, fmt.Errorf("make a signing key of the bus: %w", err)
	}
	if seed, err = pair.Seed(); err != nil {
		return "", nil, fmt.Errorf("make a signing key of the bus: %w", err)
	}
	return public, seed, nil
}

// UseIssuers signs nodes' JWTs with a key from now on, and makes the bus take those of the public ones. Whoever
// is connected by another one's is cut off.
func (k *Keys) UseIssuers(seed []byte, public []string) error {
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return fmt.Errorf("read a signing key of the bus: %w", err)
	}
	i := &k.issuers
	i.mu.Lock()
	changed := i.changed
	if slices.Equal(i.public, public) {
		changed = nil
	}
	i.signing, i.public = pair, slices.Clone(public)
	i.mu.Unlock()
	if changed != nil {
		changed()
	}
	return nil
}

// follow calls changed after each change of what the bus takes.
func (k *Keys) follow(changed func()) {
	k.issuers.mu.Lock()
	defer k.issuers.mu.Unlock()
	k.issuers.changed = changed
}

// sign signs a node's JWT.
func (k *Keys) sign(claims *jwt.UserClaims) (string, error) {
	k.issuers.mu.Lock()
	signing := k.issuers.signing
	k.issuers.mu.Unlock()
	if signing == nil {
		return claims.Encode(k.account)
	}
	account, err := k.account.PublicKey()
	if err != nil {
		return "", err
	}
	claims.IssuerAccount = account
	return claims.Encode(signing)
}

// taken are the public signing keys whose JWTs the bus takes.
func (k *Keys) taken() []string {
	k.issuers.mu.Lock()
	defer k.issuers.mu.Unlock()
	return k.issuers.public
}
