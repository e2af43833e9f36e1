package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/subject"
)

const (
	// nodeJWTLife is how long a node's credential for the bus lasts; shorter than fleet.RevocationLife.
	nodeJWTLife = 30 * 24 * time.Hour
	// ownJWTLife is how long the control plane's own lasts; it gets a new one at each login.
	ownJWTLife = 365 * 24 * time.Hour
	// maxPayload bounds one message, in bytes.
	maxPayload = 1 << 20
)

// Keys is the installation's bus identity: an operator, the account that nodes and control plane
// share, and the server's own system account. Every replica holds the same keys.
type Keys struct {
	operator nkeys.KeyPair
	account  nkeys.KeyPair
	system   nkeys.KeyPair
	issuers  issuers
	now      func() time.Time
}

// LoadKeys returns the keys of this installation; the first call ever makes them.
func LoadKeys(ctx context.Context, materials fleet.Materials) (*Keys, error) {
	keys := &Keys{now: time.Now}
	for _, k := range []struct {
		name string
		make func() (nkeys.KeyPair, error)
		to   *nkeys.KeyPair
	}{
		{"bus/operator", nkeys.CreateOperator, &keys.operator},
		{"bus/account", nkeys.CreateAccount, &keys.account},
		{"bus/system-account", nkeys.CreateAccount, &keys.system},
	} {
		seed, err := materials.Material(ctx, k.name, func() ([]byte, error) {
			pair, err := k.make()
			if err != nil {
				return nil, err
			}
			return pair.Seed()
		})
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", k.name, err)
		}
		if *k.to, err = nkeys.FromSeed(seed); err != nil {
			return nil, fmt.Errorf("load %s: %w", k.name, err)
		}
	}
	return keys, nil
}

// NodeJWT returns a user JWT by which the holder of a public user nkey publishes as the node alone,
// and reads its own inbox alone.
func (k *Keys) NodeJWT(identity fleet.Identity, publicKey string) (string, error) {
	if !nkeys.IsValidPublicUserKey(publicKey) {
		return "", errors.New("not a public user nkey")
	}
	claims := jwt.NewUserClaims(publicKey)
	claims.Name = identity.Node
	claims.Expires = k.now().Add(nodeJWTLife).Unix()
	claims.Pub.Allow.Add(subject.NodePublish(identity.Environment, identity.Node)...)
	claims.Sub.Allow.Add(subject.NodeSubscribe(identity.Node)...)
	claims.Limits.Payload = maxPayload
	claims.Subs = 16
	claims.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard)
	return k.sign(claims)
}

// user returns what a connection of the control plane itself logs in with: a key that lives for that
// connection, and a function that vouches for it anew at each login.
func (k *Keys) user(account nkeys.KeyPair, allow func(*jwt.UserClaims)) (vouch func() (string, error), sign nats.SignatureHandler, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, nil, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, nil, err
	}
	vouch = func() (string, error) {
		claims := jwt.NewUserClaims(public)
		claims.Name = "control"
		claims.Expires = k.now().Add(ownJWTLife).Unix()
		allow(claims)
		return claims.Encode(account)
	}
	return vouch, pair.Sign, nil
}

// operatorJWT returns what a server trusts.
func (k *Keys) operatorJWT() (string, error) {
	public, err := k.operator.PublicKey()
	if err != nil {
		return "", err
	}
	system, err := k.system.PublicKey()
	if err != nil {
		return "", err
	}
	claims := jwt.NewOperatorClaims(public)
	claims.Name = "sallyport"
	claims.SystemAccount = system
	return claims.Encode(k.operator)
}
