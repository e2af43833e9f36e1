package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// issuerObject is an issuer: its bytes, and what they were compiled to.
type issuerObject struct {
	data   []byte
	issuer *issuers.Issuer
}

// Issuers returns those whose tokens are trusted; nil: there are none.
func (s *Snapshot) Issuers() *issuers.Set { return s.issuersInForce }

func (c *compilation) issuers() map[string]*issuerObject {
	return own(&c.next.issuers, &c.ownIssuers)
}

var errNoRegistry = errors.New("this build looks for no issuer's keys")

func (c *compilation) putIssuer(s *Source, self id.ID, m *configv1.Issuer) error {
	keys, err := c.env.keysOf(self, m)
	if err != nil {
		return err
	}
	made, err := issuers.New(self, m, keys)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	c.issuers()[s.ID] = &issuerObject{data: s.Data, issuer: made}
	return nil
}

// keysOf returns the keys that there are of an issuer, as long as they come from the same place; or new ones.
func (e *Env) keysOf(self id.ID, m *configv1.Issuer) (*issuers.Keys, error) {
	if e.config.Issuers == nil {
		return nil, errNoRegistry
	}
	place := &configv1.Issuer{
		Id: m.GetId(), Name: m.GetName(), Issuer: m.GetIssuer(), Keys: m.GetKeys(), FetchFrom: m.FetchFrom, RefreshInterval: m.GetRefreshInterval(),
		Authorities: m.GetAuthorities(),
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(place)
	if err != nil {
		return nil, fmt.Errorf("write down where keys come from: %w", err)
	}
	sum := sha256.Sum256(text)
	return pipeline.Part(e.parts, "issuer/keys", string(sum[:]), func() (*issuers.Keys, error) { //nolint:wrapcheck // says what
		return e.config.Issuers.NewKeys(self, m)
	})
}

// settleIssuers makes the set, if an issuer changed.
func (c *compilation) settleIssuers() {
	if !c.ownIssuers {
		return
	}
	var all []*issuers.Issuer
	for _, name := range slices.Sorted(maps.Keys(c.next.issuers)) {
		all = append(all, c.next.issuers[name].issuer)
	}
	c.next.issuersInForce = issuers.NewSet(all)
}
