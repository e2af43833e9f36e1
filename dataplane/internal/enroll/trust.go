package enroll

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/jwt/v2"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/trust"
)

// firstTrust is the version of what a node was given before bundles were numbered: nothing had changed then.
const firstTrust = 1

// maxRetired bounds the retired keys that a node remembers. What a forgotten one signed, it fetches anew.
const maxRetired = 64

// retiredKey signs nothing any more. What it signed lies on the node's disk, and is believed from there: up to
// where the node was when it heard of the retirement, so that whoever gets hold of the key later can't add to it.
type retiredKey struct {
	signingKey
	Configuration position `json:"configuration"`
	Directory     position `json:"directory"`
}

type position struct {
	Epoch  uint64 `json:"epoch"`
	Number uint64 `json:"number"`
}

// Held tells where the node is in a lane, on its disk.
type Held func(lane edgev1.Lane) (epoch, number uint64)

// Holding makes the identity ask where the node is when a signing key is retired. Until it is called a retired key
// is good for nothing.
func (i *Identity) Holding(held Held) {
	i.changing.Lock()
	defer i.changing.Unlock()
	i.held = held
}

// TrustVersion returns which announcement the node believes in.
func (i *Identity) TrustVersion() uint64 { return i.papers().record.trustVersion() }

func (r *record) trustVersion() uint64 { return max(r.TrustVersion, firstTrust) }

// SigningKey returns a key that heads may be signed with now.
func (i *Identity) SigningKey(id string) (ed25519.PublicKey, bool) {
	for _, key := range i.papers().record.SigningKeys {
		if key.ID == id {
			return key.PublicKey, true
		}
	}
	return nil, false
}

// RetiredKey returns a key that heads on the node's disk may be signed with, and up to which position of a lane.
func (i *Identity) RetiredKey(id string, lane edgev1.Lane) (key ed25519.PublicKey, epoch, number uint64, ok bool) {
	for _, key := range i.papers().record.RetiredKeys {
		if key.ID != id {
			continue
		}
		until := key.Configuration
		if lane == edgev1.Lane_LANE_DIRECTORY {
			until = key.Directory
		}
		return key.PublicKey, until.Epoch, until.Number, true
	}
	return nil, 0, 0, false
}

// Changed returns a channel that is closed when the identity has changed: renewed, or believing in something else.
func (i *Identity) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

// Learn believes in what was announced, once it lies on the disk, and returns the version that the node believes in
// then. Each announcement must be the next one, signed by a key of the one before; one that is known is passed over.
func (i *Identity) Learn(announced *edgev1.Announcements) (version uint64, err error) {
	err = i.change(func(now *papers, held Held) (*papers, error) {
		r := now.record
		if err := r.learn(announced, held); err != nil {
			return nil, err
		}
		if r.trustVersion() == now.record.trustVersion() {
			return now, nil
		}
		return newPapers(r)
	}, (*papers).save)
	return i.TrustVersion(), err
}

// change makes the next papers out of the newest, keeps them, and uses them then: never what a crash would lose.
func (i *Identity) change(next func(now *papers, held Held) (*papers, error), keep func(next *papers, dir string) error) error {
	i.changing.Lock()
	defer i.changing.Unlock()
	now := i.papers()
	made, err := next(now, i.held)
	if err != nil || made == now {
		return err
	}
	if i.frozen {
		i.unkept = true
	} else if err := keep(made, i.dir); err != nil {
		return err
	}
	i.newest.Store(made)
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.changed)
	i.changed = make(chan struct{})
	return nil
}

// learn walks a chain of announcements.
func (r *record) learn(announced *edgev1.Announcements, held Held) error {
	for _, link := range announced.GetLinks() {
		if known, err := trust.Parse(link); err == nil && known.GetVersion() <= r.trustVersion() {
			continue // a renewal was quicker
		}
		bundle, err := trust.Next(r.trustVersion(), r.signingKeys(), link)
		if err != nil {
			return fmt.Errorf("enroll: learn whom to believe: %w", err)
		}
		before := r.SigningKeys
		r.believe(bundle)
		r.retire(before, held)
	}
	return nil
}

// retire remembers the keys that signed until now and don't any more.
func (r *record) retire(before []signingKey, held Held) {
	retired := slices.Clone(r.RetiredKeys)
	for _, key := range before {
		if slices.ContainsFunc(r.SigningKeys, func(k signingKey) bool { return bytes.Equal(k.PublicKey, key.PublicKey) }) {
			continue
		}
		gone := retiredKey{signingKey: key}
		if held != nil {
			gone.Configuration.Epoch, gone.Configuration.Number = held(edgev1.Lane_LANE_CONFIGURATION)
			gone.Directory.Epoch, gone.Directory.Number = held(edgev1.Lane_LANE_DIRECTORY)
		}
		retired = append(retired, gone)
	}
	r.RetiredKeys = retired[max(0, len(retired)-maxRetired):]
}

func (r *record) signingKeys() []*edgev1.SigningKey {
	keys := make([]*edgev1.SigningKey, len(r.SigningKeys))
	for n, key := range r.SigningKeys {
		keys[n] = &edgev1.SigningKey{Id: key.ID, PublicKey: slices.Clone(key.PublicKey)}
	}
	return keys
}

// outdated tells whether the certificate or the bus JWT is of an issuer that another has taken the place of: it
// works for as long as the nodes take to renew.
func (p *papers) outdated() bool {
	switch {
	case len(p.authorities) > 0 && p.certificate.Leaf.CheckSignatureFrom(p.authorities[0]) != nil:
		return true
	case len(p.record.BusIssuers) == 0:
		return false
	}
	claims, err := jwt.DecodeUserClaims(p.record.BusJWT)
	return err == nil && claims.Issuer != p.record.BusIssuers[0]
}

func checkRetired(keys []retiredKey) error {
	for _, key := range keys {
		if key.ID == "" || len(key.PublicKey) != ed25519Size {
			return errors.New("a retired signing key is no Ed25519 key")
		}
	}
	return nil
}
