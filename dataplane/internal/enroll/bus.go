package enroll

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// parseBusUser reads the node's bus key, and checks that the JWT is for it.
func parseBusUser(r record) (nkeys.KeyPair, error) {
	pair, err := nkeys.FromSeed(r.BusSeed)
	if err != nil {
		return nil, errors.New("the node's bus key can't be read") // the cause could quote it
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, errors.New("the node's bus key is no user's key")
	}
	claims, err := jwt.DecodeUserClaims(r.BusJWT)
	if err != nil {
		return nil, fmt.Errorf("the bus JWT: %w", err)
	}
	if claims.Subject != public {
		return nil, errors.New("the bus JWT is for another key than the node's")
	}
	for _, address := range r.BusURLs {
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			return nil, fmt.Errorf("the bus address %q is no URL", address)
		}
	}
	return pair, nil
}
