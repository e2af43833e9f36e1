package bus

import (
	"github.com/nats-io/jwt/v2"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

// Limits of what the product's account may keep.
const (
	maxStreamBytes = 4 << 30
	maxStreams     = 16
	maxConsumers   = 64
)

// MaxRevocations bounds the revocations in the account's JWT, which travels as one message: 100 bytes
// each.
const MaxRevocations = 8000

// account is an account's JWT, and the key that it is found by.
type account struct{ public, jwt string }

// productAccount returns the account that nodes and control plane share, which turns away the JWTs
// that were revoked.
func (k *Keys) productAccount(revoked []fleet.BusRevocation) (account, error) {
	public, err := k.account.PublicKey()
	if err != nil {
		return account{}, err
	}
	claims := k.accountClaims(public, revoked)
	encoded, err := claims.Encode(k.operator)
	return account{public, encoded}, err
}

func (k *Keys) accountClaims(public string, revoked []fleet.BusRevocation) *jwt.AccountClaims {
	claims := jwt.NewAccountClaims(public)
	claims.Name = "sallyport"
	claims.Limits.DisallowBearer = true
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
		DiskStorage: maxStreamBytes, Streams: maxStreams, Consumer: maxConsumers, MaxBytesRequired: true,
	}
	claims.SigningKeys.Add(k.taken()...)
	for _, r := range revoked[:min(len(revoked), MaxRevocations)] {
		claims.RevokeAt(r.Key, r.Until)
	}
	return claims
}

// systemAccount returns the account in which servers are told of accounts.
func (k *Keys) systemAccount() (account, error) {
	public, err := k.system.PublicKey()
	if err != nil {
		return account{}, err
	}
	claims := jwt.NewAccountClaims(public)
	claims.Name = "system"
	encoded, err := claims.Encode(k.operator)
	return account{public, encoded}, err
}
