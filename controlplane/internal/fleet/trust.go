package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/trust"
)

const (
	// trustPoll is how often a replica looks for announcements although nobody woke it.
	trustPoll = time.Second
	// trustTimeout bounds one look, or one step.
	trustTimeout = 10 * time.Second
	// maxLinks bounds the announcements in one message; a node that lacks more gets the next ones behind them.
	maxLinks = 16
	// TrustWake is what [Wakes] tell of when there is an announcement: it is no environment's id.
	TrustWake = "trust"
)

// busMaterial is the name of the first issuer's seed; those that took its place have their public key behind it.
const busMaterial = "bus/signing-key"

// TrustConfig is what a Trust needs.
type TrustConfig struct {
	Store     TrustStore
	Materials Materials
	Bus       BusIssuers // nil: there is no bus
	Logger    *slog.Logger
	Times     TrustTimes
}

// Trust is what nodes are to believe in, and the private halves of it. Every replica has one, which follows
// what the database says: whoever rotates a key, all of them sign and issue with the new one.
//
// Of each kind of key the bundle has a list, whose first one is in use. A rotation takes three bundles:
// the new key behind the old, the new before the old, the new alone. Each is announced under the key
// that was in use before, and the next only when the nodes have the one before (see [Trust.Run]).
type Trust struct {
	cfg       TrustConfig
	signer    *Signer
	authority *Authority
	now       func() time.Time

	refreshing sync.Mutex // one at a time

	mu      sync.Mutex
	links   []*edgev1.SignedTrust // all, the first version first
	bundle  *edgev1.TrustBundle   // the newest; never changed
	first   *edgev1.TrustBundle
	open    []Rotation
	changed chan struct{} // closed at the next announcement
}

// LoadTrust returns the trust of this installation; the first call ever makes it.
func LoadTrust(ctx context.Context, cfg TrustConfig) (*Trust, error) {
	cfg.Times = cfg.Times.orDefault()
	t := &Trust{cfg: cfg, now: time.Now, changed: make(chan struct{})}
	if err := t.Refresh(ctx); err != nil {
		return nil, err
	}
	if t.Version() > 0 {
		return t, nil
	}
	if err := t.begin(ctx); err != nil {
		return nil, fmt.Errorf("announce the first trust: %w", err)
	}
	if err := t.Refresh(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// begin writes the first bundle, which names what the installation began with.
func (t *Trust) begin(ctx context.Context) error {
	key, err := loadSigningKey(ctx, t.cfg.Materials, signingMaterial, makeSeed)
	if err != nil {
		return err
	}
	authority, err := loadIssuer(ctx, t.cfg.Materials, authorityMaterial, func() ([]byte, error) { return makeAuthority(t.now(), nil) })
	if err != nil {
		return err
	}
	bundle := &edgev1.TrustBundle{Version: 1, Authorities: [][]byte{authority.certificate.Raw}, SigningKeys: []*edgev1.SigningKey{key.public()}}
	if t.cfg.Bus != nil {
		public, err := t.firstIssuer(ctx)
		if err != nil {
			return err
		}
		bundle.BusIssuers = []string{public}
	}
	link, err := key.announce(bundle)
	if err != nil {
		return err
	}
	return t.cfg.Store.ChangeTrust(ctx, func(version uint64, _ []Rotation) (*TrustChange, error) {
		if version > 0 {
			return nil, nil // another replica was quicker
		}
		return &TrustChange{Link: link, Version: 1, At: t.now()}, nil
	})
}

// firstIssuer makes the first issuer of bus JWTs. Its public key is kept beside its seed: what a name was made
// for must be found again by any replica.
func (t *Trust) firstIssuer(ctx context.Context) (string, error) {
	stored, err := t.cfg.Materials.Material(ctx, busMaterial, func() ([]byte, error) {
		public, seed, err := t.cfg.Bus.NewIssuer()
		return append([]byte(public+" "), seed...), err
	})
	if err != nil {
		return "", fmt.Errorf("make the bus's first issuer: %w", err)
	}
	public, _, err := splitIssuer(stored)
	return public, err
}

// Signer returns what signs heads.
func (t *Trust) Signer() *Signer { return t.signer }

// Authority returns what issues certificates.
func (t *Trust) Authority() *Authority { return t.authority }

// Version returns the newest version.
func (t *Trust) Version() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint64(len(t.links))
}

// Bundle returns what nodes are to believe in. It must not be changed.
func (t *Trust) Bundle() *edgev1.TrustBundle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bundle
}

// Changed returns the newest version, and a channel that is closed when there is a newer one.
func (t *Trust) Changed() (uint64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint64(len(t.links)), t.changed
}

// Since returns the announcements behind a version, the next ones if there are many, and the version that they
// lead to; nil when there are none.
func (t *Trust) Since(version uint64) (*edgev1.Announcements, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	newest := uint64(len(t.links))
	if version >= newest {
		return nil, version
	}
	to := min(newest, version+maxLinks)
	return &edgev1.Announcements{Links: t.links[version:to]}, to
}

// Believed takes note of which version a node believes in: by its Hello, or because it has walked there. One that is ahead of
// the database believes in what a restored dump doesn't know: it may refuse what this replica signs, and the versions that
// are announced from now on aren't those that it has, whatever their numbers.
func (t *Trust) Believed(ctx context.Context, node string, version uint64, walked bool) error {
	if version > t.Version() {
		if err := t.Refresh(ctx); err != nil {
			return err
		}
		if newest := t.Version(); version > newest {
			t.cfg.Logger.Error("a node believes in a newer trust than the database has, which must have gone back: it may refuse what is signed here, "+
				"and no new key is used for as long as it isn't disabled; give it an empty data folder and a new join token, and disable what it was",
				"node", node, "node_version", version, "version", newest)
			if err := t.cfg.Store.NodeStrays(ctx, node, version); err != nil {
				return fmt.Errorf("keep what a node believes in: %w", err)
			}
			return nil
		}
	}
	if err := t.cfg.Store.NodeTrusts(ctx, node, version, walked); err != nil {
		return fmt.Errorf("keep what a node believes in: %w", err)
	}
	return nil
}

// Refresh reads what was announced since, and takes the keys in use.
func (t *Trust) Refresh(ctx context.Context) error {
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	links, open, err := t.cfg.Store.Trust(ctx, t.Version())
	if err != nil {
		return fmt.Errorf("read the trust: %w", err)
	}
	if len(links) == 0 {
		t.mu.Lock()
		t.open = open
		t.mu.Unlock()
		return nil
	}
	return t.adopt(ctx, links, open)
}

// adopt walks the chain as a node would, so that a database in which somebody wrote a link is found out here too.
func (t *Trust) adopt(ctx context.Context, links []*edgev1.SignedTrust, open []Rotation) error {
	at := t.Bundle()
	first := t.first
	for _, link := range links {
		keys := at.GetSigningKeys()
		if at == nil { // the first one vouches for itself
			parsed, err := trust.Parse(link)
			if err != nil {
				return fmt.Errorf("read the first trust: %w", err)
			}
			first, keys = parsed, parsed.GetSigningKeys()
		}
		next, err := trust.Next(at.GetVersion(), keys, link)
		if err != nil {
			return fmt.Errorf("follow the announcement of version %d: %w", at.GetVersion()+1, err)
		}
		at = next
	}
	if err := t.use(ctx, first, at); err != nil {
		return fmt.Errorf("use the trust of version %d: %w", at.GetVersion(), err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links = append(t.links[:len(t.links):len(t.links)], links...)
	t.bundle, t.first, t.open = at, first, open
	close(t.changed)
	t.changed = make(chan struct{})
	return nil
}

// use loads the private halves of what is in use and swaps them in: all, or none.
func (t *Trust) use(ctx context.Context, first, bundle *edgev1.TrustBundle) error {
	signing, err := loadSigningKey(ctx, t.cfg.Materials, nameOf(signingMaterial, bundle.GetSigningKeys()[0].GetId(), first.GetSigningKeys()[0].GetId()), missing)
	if err != nil {
		return err
	}
	certificates := make([]*x509.Certificate, len(bundle.GetAuthorities()))
	for n, der := range bundle.GetAuthorities() {
		if certificates[n], err = x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	root, err := x509.ParseCertificate(first.GetAuthorities()[0])
	if err != nil {
		return err
	}
	issues, err := loadIssuer(ctx, t.cfg.Materials, nameOf(authorityMaterial, authorityName(certificates[0]), authorityName(root)), missing)
	if err != nil {
		return err
	}
	if !issues.certificate.Equal(certificates[0]) || signing.id != bundle.GetSigningKeys()[0].GetId() {
		return errors.New("the kept keys aren't those that were announced")
	}
	if err := t.useBus(ctx, first, bundle); err != nil {
		return err
	}
	if t.signer == nil {
		t.signer = new(Signer)
		t.authority = newAuthority(nil)
	}
	t.authority.current.Store(&authorities{issuer: *issues, believed: certificates})
	t.signer.use(signing, bundle.GetSigningKeys())
	return nil
}

func (t *Trust) useBus(ctx context.Context, first, bundle *edgev1.TrustBundle) error {
	issuers := bundle.GetBusIssuers()
	if t.cfg.Bus == nil || len(issuers) == 0 {
		return nil
	}
	stored, err := t.cfg.Materials.Material(ctx, nameOf(busMaterial, issuers[0], firstOf(first.GetBusIssuers())), missing)
	if err != nil {
		return fmt.Errorf("load the bus's issuer: %w", err)
	}
	public, seed, err := splitIssuer(stored)
	if err != nil || public != issuers[0] {
		return errors.Join(errors.New("the kept issuer of the bus isn't the one that was announced"), err)
	}
	return t.cfg.Bus.UseIssuers(seed, issuers)
}

// nameOf is the name of the material of a key: the first one's has no more than its kind.
func nameOf(material, key, first string) string {
	if key == first {
		return material
	}
	return material + "/" + key
}

var errMissing = errors.New("its private half is missing in the database: restore a dump that has it")

func missing() ([]byte, error) { return nil, errMissing }

func clone(bundle *edgev1.TrustBundle) *edgev1.TrustBundle { return proto.CloneOf(bundle) }
