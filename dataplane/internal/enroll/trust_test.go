package enroll

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/trust"
)

func announcements(links ...*edgev1.SignedTrust) *edgev1.Announcements {
	return &edgev1.Announcements{Links: links}
}

func believes(i *Identity, key string) bool {
	_, ok := i.SigningKey(key)
	return ok
}

func TestANodeWalksTheChainFromWhatItHasAndBelievesItAfterARestart(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	changed := identity.Changed()
	version, err := identity.Learn(announcements(
		p.announce("k1", p.bundle(2, "k1", "k2")), p.announce("k1", p.bundle(3, "k2", "k1")), p.announce("k2", p.bundle(4, "k2")),
	))
	if err != nil || version != 4 {
		t.Fatalf("version %d, %v", version, err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	again, err := Load(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, i := range map[string]*Identity{"at once": identity, "after a restart": again} {
		if i.TrustVersion() != 4 || !believes(i, "k2") || believes(i, "k1") {
			t.Errorf("%s: version %d, k1 %v, k2 %v", name, i.TrustVersion(), believes(i, "k1"), believes(i, "k2"))
		}
	}
	if version, err := again.Learn(announcements(p.announce("k2", p.bundle(5, "k2", "k3")))); err != nil || version != 5 {
		t.Errorf("version %d, %v", version, err)
	}
}

func TestANodeBelievesNoAnnouncementThatDoesNotFollow(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	if _, err := identity.Learn(announcements(p.announce("k1", p.bundle(2, "k2")))); err != nil {
		t.Fatal(err)
	}
	was := identity.papers()
	for name, test := range map[string]struct {
		link *edgev1.SignedTrust
		want error
	}{
		"forged":                 {p.announce("k9", p.bundle(3, "k9")), trust.ErrSignature},
		"skipping a version":     {p.announce("k2", p.bundle(4, "k3")), trust.ErrVersion},
		"by a retired key":       {p.announce("k1", p.bundle(3, "k1")), trust.ErrSignature},
		"without signing keys":   {p.announce("k2", p.bundle(3)), trust.ErrBundle},
		"that can't be read":     {&edgev1.SignedTrust{Bundle: []byte{1}}, trust.ErrSignature},
		"older, with other keys": {p.announce("k1", p.bundle(1, "k9")), nil},
		"of now, with others":    {p.announce("k2", p.bundle(2, "k9")), nil},
	} {
		version, err := identity.Learn(announcements(test.link))
		if !errors.Is(err, test.want) || version != 2 || identity.papers() != was {
			t.Errorf("%s: version %d, %v", name, version, err)
		}
	}
	// Of a chain with one bad link nothing is believed.
	if _, err := identity.Learn(announcements(p.announce("k2", p.bundle(3, "k3")), p.announce("k9", p.bundle(4, "k9")))); err == nil || identity.papers() != was {
		t.Errorf("half a chain is believed: %v", err)
	}
	if kept, err := Load(config.Dir); err != nil || kept.TrustVersion() != 2 {
		t.Errorf("on the disk is version %d: %v", kept.TrustVersion(), err)
	}
}

func TestNothingIsBelievedThatIsNotOnTheDisk(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	link := p.announce("k1", p.bundle(2, "k2"))
	dir := identity.dir
	identity.dir = filepath.Join(config.Dir, fileName) // a file where the directory belongs
	if version, err := identity.Learn(announcements(link)); err == nil || version != 1 || believes(identity, "k2") {
		t.Errorf("version %d is believed: %v", version, err)
	}
	// A crash behind the write and before the belief: what is on the disk counts, and the same announcement is no fault.
	identity.dir = dir
	err := identity.change(func(now *papers, held Held) (*papers, error) {
		r := now.record
		if err := r.learn(announcements(link), held); err != nil {
			return nil, err
		}
		return newPapers(r)
	}, func(next *papers, dir string) error { return errors.Join(next.save(dir), context.Canceled) })
	if !errors.Is(err, context.Canceled) || believes(identity, "k2") {
		t.Fatalf("%v", err)
	}
	again, err := Load(config.Dir)
	if err != nil || !believes(again, "k2") || again.TrustVersion() != 2 {
		t.Fatalf("version %d: %v", again.TrustVersion(), err)
	}
	if version, err := again.Learn(announcements(link, p.announce("k2", p.bundle(3, "k2", "k3")))); err != nil || version != 3 {
		t.Errorf("version %d, %v", version, err)
	}
}

func TestARetiredKeyIsGoodForWhatTheNodeHadOnItsDisk(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	identity.Holding(func(lane edgev1.Lane) (epoch, number uint64) {
		if lane == edgev1.Lane_LANE_DIRECTORY {
			return 2, 70
		}
		return 2, 7
	})
	if _, err := identity.Learn(announcements(p.announce("k1", p.bundle(2, "k2")))); err != nil {
		t.Fatal(err)
	}
	again, err := Load(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for lane, want := range map[edgev1.Lane]uint64{edgev1.Lane_LANE_CONFIGURATION: 7, edgev1.Lane_LANE_DIRECTORY: 70} {
		key, epoch, number, ok := again.RetiredKey("k1", lane)
		if !ok || !bytes.Equal(key, p.signing("k1").GetPublicKey()) || epoch != 2 || number != want {
			t.Errorf("%v: up to %d in epoch %d, %v", lane, number, epoch, ok)
		}
	}
	if _, _, _, ok := again.RetiredKey("k2", edgev1.Lane_LANE_DIRECTORY); ok {
		t.Error("the key in use is retired")
	}
}

func TestAnIdentityOfAnEarlyBuildIsOfTheFirstVersion(t *testing.T) {
	p := newPlane(t, func(p *plane) { p.change = func(a *edgev1.EnrollResponse) { a.Trust.Version = 0 } })
	config, identity := enrolled(t, p)
	body, err := os.ReadFile(filepath.Join(config.Dir, fileName))
	if err != nil || bytes.Contains(body, []byte("trust_version")) {
		t.Fatalf("%s, %v", body, err)
	}
	if version, err := identity.Learn(announcements(p.announce("k1", p.bundle(2, "k1", "k2")))); err != nil || version != 2 {
		t.Errorf("version %d, %v", version, err)
	}
}

func TestANodeRenewsWhenAnotherIssuerTakesThePlaceOfItsOwn(t *testing.T) {
	p := newPlane(t, func(p *plane) { p.life = 365 * day }) // nothing else makes it renew
	config, identity := enrolled(t, p)
	if due := firstDue(identity.papers()); time.Until(due) < day {
		t.Fatalf("it renews at %s by itself", due)
	}
	next := newAuthority(t)
	bundle := p.bundle(2, "k1")
	bundle.Authorities = [][]byte{next.certificate.Raw, p.authority.certificate.Raw}
	p.reply = func(a *edgev1.RenewResponse) { a.Announcements = nil }
	renewed := make(chan struct{}, 8)
	renewer := NewRenewer(config, identity, func() { renewed <- struct{}{} })
	renewer.spread = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- renewer.Run(ctx) }()
	p.mu.Lock()
	p.issuer = next
	p.mu.Unlock()
	if _, err := identity.Learn(announcements(p.announce("k1", bundle))); err != nil {
		t.Fatal(err)
	}
	select {
	case <-renewed:
	case <-time.After(time.Minute):
		t.Fatal("it doesn't renew")
	}
	if identity.papers().outdated() {
		t.Error("its certificate is still the old authority's")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Of two processes of a node one writes. The other uses what it learns, and writes it once it may.
func TestAFrozenIdentityLeavesItsFileAloneUntilItThaws(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	identity.Freeze()
	link := p.announce("k1", p.bundle(2, "k2"))
	if version, err := identity.Learn(announcements(link)); err != nil || version != 2 || !believes(identity, "k2") {
		t.Fatalf("version %d, %v", version, err)
	}
	if kept, err := Load(config.Dir); err != nil || kept.TrustVersion() != 1 {
		t.Fatalf("the file has changed: version %d, %v", kept.TrustVersion(), err)
	}
	for range 2 {
		if err := identity.Thaw(); err != nil {
			t.Fatal(err)
		}
		if kept, err := Load(config.Dir); err != nil || kept.TrustVersion() != 2 || !believes(kept, "k2") {
			t.Errorf("version %d is kept, %v", kept.TrustVersion(), err)
		}
	}
}
