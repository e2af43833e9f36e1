package fleet

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// TrustTimes are the least lengths of a rotation's phases. The zero value is what the product runs with.
type TrustTimes struct {
	// Settle is for all replicas to hear of an announcement: several of their polls. 0: 3 s.
	Settle time.Duration
	// Linger is for what was signed before to arrive. 0: 10 s.
	Linger time.Duration
}

func (t TrustTimes) orDefault() TrustTimes {
	if t.Settle == 0 {
		t.Settle = 3 * time.Second
	}
	if t.Linger == 0 {
		t.Linger = 10 * time.Second
	}
	return t
}

// errStale says that somebody else was quicker; whoever gets it looks again.
var errStale = errors.New("the trust has changed meanwhile")

const rotateAttempts = 5

// Rotate announces a new key of a kind. The replicas take it into use and retire the old one, each when the nodes
// are ready for it. problem.Conflict: one of the kind is under way.
func (t *Trust) Rotate(ctx context.Context, kind RotationKind) (Rotation, error) {
	if err := t.Refresh(ctx); err != nil {
		return Rotation{}, err
	}
	t.mu.Lock()
	err := underWay(t.open, kind) // before a key is made for nothing
	t.mu.Unlock()
	if err != nil {
		return Rotation{}, err
	}
	key, name, err := t.make(ctx, kind)
	if err != nil {
		return Rotation{}, fmt.Errorf("make a new key: %w", err)
	}
	for attempt := 1; ; attempt++ {
		if err := t.Refresh(ctx); err != nil {
			return Rotation{}, err
		}
		rotation, err := t.announce(ctx, kind, key, name)
		if !errors.Is(err, errStale) || attempt == rotateAttempts {
			return rotation, err
		}
	}
}

// make makes and keeps a key. Its material is kept before its name is announced: what is announced can be used.
func (t *Trust) make(ctx context.Context, kind RotationKind) (key any, name string, err error) {
	keep := func(name string, value []byte) error {
		_, err := t.cfg.Materials.Material(ctx, name, func() ([]byte, error) { return value, nil })
		return err
	}
	switch kind {
	case RotateSigning:
		seed, err := makeSeed()
		if err != nil {
			return nil, "", err
		}
		made, err := newSigningKey(seed)
		if err != nil {
			return nil, "", err
		}
		return made.public(), made.id, keep(signingMaterial+"/"+made.id, seed)
	case RotateAuthority:
		stored, err := makeAuthority(t.now(), &t.authority.current.Load().issuer)
		if err != nil {
			return nil, "", err
		}
		made, err := parseIssuer(stored)
		if err != nil {
			return nil, "", err
		}
		name := authorityName(made.certificate)
		return made.certificate.Raw, name, keep(authorityMaterial+"/"+name, stored)
	case RotateBus:
		if t.cfg.Bus == nil {
			return nil, "", errors.New("there is no bus")
		}
		public, seed, err := t.cfg.Bus.NewIssuer()
		if err != nil {
			return nil, "", err
		}
		return public, public, keep(busMaterial+"/"+public, append([]byte(public+" "), seed...))
	}
	return nil, "", fmt.Errorf("there is no kind of key %q", kind)
}

func (t *Trust) announce(ctx context.Context, kind RotationKind, key any, name string) (Rotation, error) {
	now := t.now().UTC().Truncate(time.Microsecond)
	rotation := Rotation{Kind: kind, New: name, AnnouncedAt: now}
	err := t.change(ctx, func(open []Rotation, next *edgev1.TrustBundle) (*Rotation, []string, error) {
		if err := underWay(open, kind); err != nil {
			return nil, nil, err
		}
		rotation.Old = inUse(next, kind)
		add(next, key)
		return &rotation, nil, nil
	})
	if err == nil {
		t.cfg.Logger.Info("a new key is announced", "kind", kind, "old", rotation.Old, "new", rotation.New, "version", rotation.Version)
	}
	return rotation, err
}

// underWay returns problem.Conflict if a rotation of a kind isn't done.
func underWay(open []Rotation, kind RotationKind) error {
	for i := range open {
		if open[i].Kind == kind {
			return problem.Errorf(problem.Conflict,
				"a rotation of this kind (%s) is under way since %s, and is %s: see what it waits for with: sallyport-control rotate status",
				kind, open[i].AnnouncedAt.Format(time.RFC3339), open[i].Phase())
		}
	}
	return nil
}

// change writes one step: step changes the next bundle, and says what becomes of the rotation.
func (t *Trust) change(ctx context.Context, step func(open []Rotation, next *edgev1.TrustBundle) (*Rotation, []string, error)) error {
	current := t.Bundle()
	by := t.signer.current.Load()
	return t.cfg.Store.ChangeTrust(ctx, func(version uint64, open []Rotation) (*TrustChange, error) {
		if version != current.GetVersion() || by.id != current.GetSigningKeys()[0].GetId() {
			return nil, errStale
		}
		next := clone(current)
		next.Version++
		rotation, forget, err := step(open, next)
		if err != nil || rotation == nil {
			return nil, err
		}
		rotation.Version = next.GetVersion()
		link, err := by.announce(next)
		if err != nil {
			return nil, err
		}
		return &TrustChange{Link: link, Version: next.GetVersion(), At: t.now(), Rotation: rotation, Forget: forget}, nil
	})
}

// Run follows what is announced, and takes rotations on, until ctx ends. A step is taken when its conditions hold:
//
//   - a new key is used once all replicas have had the time to hear of it, and every node that is connected and not
//     disabled believes in it, as none does that has strayed (for an authority whose predecessor can't certify it: every node that isn't disabled). A
//     node that comes later gets the announcements before anything else;
//   - an old key is retired once what it signed has had the time to arrive, and every connected node believes in the
//     bundle that puts the new one first; an authority and an issuer of the bus moreover once no node, unless it is
//     disabled, holds what they issued and could still use it: a certificate up to 30 days after its end, a bus JWT up
//     to 30 days after it was issued.
func (t *Trust) Run(ctx context.Context, wakes Wakes) error {
	told, cancel := wakes.Subscribe()
	defer cancel()
	poll := time.NewTicker(trustPoll)
	defer poll.Stop()
	lost := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case what, ok := <-told:
			if !ok {
				return nil
			}
			if what != TrustWake {
				continue
			}
		case <-poll.C:
		}
		err := t.look(ctx)
		switch {
		case err != nil && !lost && ctx.Err() == nil:
			lost = true
			t.cfg.Logger.Error("can't follow the rotation of keys; those in use stay", "error", err)
		case err == nil && lost:
			lost = false
			t.cfg.Logger.Info("follows the rotation of keys again")
		}
	}
}

func (t *Trust) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trustTimeout)
	defer cancel()
	if err := t.Refresh(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	open := slices.Clone(t.open)
	t.mu.Unlock()
	for _, rotation := range open {
		if err := t.advance(ctx, rotation); err != nil && !errors.Is(err, errStale) {
			return fmt.Errorf("rotation of %s: %w", rotation.Kind, err)
		}
	}
	return nil
}

// advance takes a rotation's next step, if it is due.
func (t *Trust) advance(ctx context.Context, rotation Rotation) error {
	if !slices.Contains([]RotationKind{RotateSigning, RotateAuthority, RotateBus}, rotation.Kind) {
		return nil
	}
	due, err := t.due(ctx, &rotation)
	if err != nil || !due {
		return err
	}
	now := t.now().UTC().Truncate(time.Microsecond)
	phase := rotation.Phase()
	var next Rotation
	err = t.change(ctx, func(open []Rotation, bundle *edgev1.TrustBundle) (*Rotation, []string, error) {
		at := slices.IndexFunc(open, func(r Rotation) bool { return r.ID == rotation.ID })
		if at < 0 || open[at].Phase() != phase {
			return nil, nil, errStale
		}
		next = open[at]
		if phase == "announced" {
			next.ActiveAt = now
			prefer(bundle, next.Kind, next.New)
			return &next, nil, nil
		}
		next.RetiredAt = now
		drop(bundle, next.Kind, next.Old)
		return &next, []string{t.materialOf(next.Kind, next.Old)}, nil
	})
	if err != nil {
		return err
	}
	t.cfg.Logger.Info("a rotation has gone on", "kind", next.Kind, "phase", next.Phase(), "old", next.Old, "new", next.New, "version", next.Version)
	return t.Refresh(ctx)
}

// due tells whether a rotation's next step may be taken.
func (t *Trust) due(ctx context.Context, r *Rotation) (bool, error) {
	since, least := r.AnnouncedAt, t.cfg.Times.Settle
	if !r.ActiveAt.IsZero() {
		since, least = r.ActiveAt, t.cfg.Times.Linger
	}
	if t.now().Sub(since) < least {
		return false, nil
	}
	lag, err := t.cfg.Store.TrustLag(ctx, r.Version, r.Kind, r.New)
	switch {
	case err != nil:
		return false, err
	case lag.Connected > 0:
		return false, nil
	case !r.ActiveAt.IsZero():
		return lag.Holding == 0, nil
	}
	return lag.Lacking == 0 || r.Kind != RotateAuthority || t.authority.canCertify(), nil
}

// canCertify tells whether the authority may certify another: one of an early build may not.
func (a *Authority) canCertify() bool { return !a.current.Load().certificate.MaxPathLenZero }

// materialOf is the name of the material of a key.
func (t *Trust) materialOf(kind RotationKind, name string) string {
	t.mu.Lock()
	first := t.first
	t.mu.Unlock()
	material := map[RotationKind]string{RotateSigning: signingMaterial, RotateAuthority: authorityMaterial, RotateBus: busMaterial}[kind]
	return nameOf(material, name, inUse(first, kind))
}

// inUse returns the name of the key of a kind that a bundle puts first.
func inUse(bundle *edgev1.TrustBundle, kind RotationKind) string {
	switch kind {
	case RotateSigning:
		return bundle.GetSigningKeys()[0].GetId()
	case RotateAuthority:
		return nameOfAuthority(bundle.GetAuthorities()[0])
	case RotateBus:
		return firstOf(bundle.GetBusIssuers())
	}
	return ""
}

// add puts a new key behind the others.
func add(bundle *edgev1.TrustBundle, key any) {
	switch key := key.(type) {
	case *edgev1.SigningKey:
		bundle.SigningKeys = append(bundle.SigningKeys, key)
	case []byte:
		bundle.Authorities = append(bundle.Authorities, key)
	case string:
		bundle.BusIssuers = append(bundle.BusIssuers, key)
	}
}

// prefer puts a key before the others.
func prefer(bundle *edgev1.TrustBundle, kind RotationKind, name string) {
	switch kind {
	case RotateSigning:
		toFront(bundle.GetSigningKeys(), func(k *edgev1.SigningKey) bool { return k.GetId() == name })
	case RotateAuthority:
		toFront(bundle.GetAuthorities(), func(der []byte) bool { return nameOfAuthority(der) == name })
	case RotateBus:
		toFront(bundle.GetBusIssuers(), func(public string) bool { return public == name })
	}
}

// drop takes a key out.
func drop(bundle *edgev1.TrustBundle, kind RotationKind, name string) {
	switch kind {
	case RotateSigning:
		bundle.SigningKeys = slices.DeleteFunc(bundle.SigningKeys, func(k *edgev1.SigningKey) bool { return k.GetId() == name })
	case RotateAuthority:
		bundle.Authorities = slices.DeleteFunc(bundle.Authorities, func(der []byte) bool { return nameOfAuthority(der) == name })
	case RotateBus:
		bundle.BusIssuers = slices.DeleteFunc(bundle.BusIssuers, func(public string) bool { return public == name })
	}
}

func toFront[E any](list []E, is func(E) bool) {
	if at := slices.IndexFunc(list, is); at > 0 {
		preferred := list[at]
		copy(list[1:at+1], list[:at])
		list[0] = preferred
	}
}

func nameOfAuthority(der []byte) string {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return "" // a bundle holds certificates only
	}
	return authorityName(certificate)
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// splitIssuer reads a kept issuer of the bus: its public key, a space, its seed.
func splitIssuer(stored []byte) (public string, seed []byte, err error) {
	name, seed, ok := bytes.Cut(stored, []byte(" "))
	if !ok {
		return "", nil, errors.New("the kept issuer of the bus can't be read")
	}
	return string(name), seed, nil
}

// TrustStatus is how far rotations are, and which nodes they wait for.
type TrustStatus struct {
	Version   uint64
	Signing   string // name of the key in use
	Authority string
	Bus       string
	Rotations []Rotation // the newest first
	Laggards  []Laggard
}

// maxStatus bounds the rotations and the nodes of a status.
const maxStatus = 100

// Status returns how far rotations are.
func (t *Trust) Status(ctx context.Context) (TrustStatus, error) {
	if err := t.Refresh(ctx); err != nil {
		return TrustStatus{}, err
	}
	bundle := t.Bundle()
	status := TrustStatus{
		Version: bundle.GetVersion(), Signing: inUse(bundle, RotateSigning), Authority: inUse(bundle, RotateAuthority), Bus: inUse(bundle, RotateBus),
	}
	var err error
	if status.Rotations, err = t.cfg.Store.Rotations(ctx, maxStatus); err != nil {
		return TrustStatus{}, fmt.Errorf("list rotations: %w", err)
	}
	if status.Laggards, err = t.cfg.Store.Laggards(ctx, status.Version, status.Authority, status.Bus, maxStatus); err != nil {
		return TrustStatus{}, fmt.Errorf("list the nodes that rotations wait for: %w", err)
	}
	return status, nil
}
