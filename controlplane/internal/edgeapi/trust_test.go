package edgeapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/trust"
)

// watched tells what a replica finds each time that it looks whether a rotation may go on.
type watched struct {
	fleet.TrustStore
	looked chan fleet.TrustLag
}

func (w *watched) TrustLag(ctx context.Context, version uint64, kind fleet.RotationKind, issuer string) (fleet.TrustLag, error) {
	lag, err := w.TrustStore.TrustLag(ctx, version, kind, issuer)
	select {
	case w.looked <- lag:
	default:
	}
	return lag, err
}

const trustBound = 30 * time.Second

// looks returns what the replica finds the next times that it looks.
func (c *control) looks(times int) (lag fleet.TrustLag) {
	c.t.Helper()
	for range times {
		select {
		case lag = <-c.watch.looked:
		case <-time.After(trustBound):
			c.t.Fatal("nobody looks whether the rotation may go on")
		}
	}
	return lag
}

func (c *control) rotate(kind fleet.RotationKind) fleet.Rotation {
	c.t.Helper()
	r, err := c.trust.Rotate(c.t.Context(), kind)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *control) phase(kind fleet.RotationKind) string {
	c.t.Helper()
	status, err := c.trust.Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range status.Rotations {
		if status.Rotations[i].Kind == kind {
			return status.Rotations[i].Phase()
		}
	}
	return ""
}

// awaitPhase returns once the newest rotation of a kind is as far.
func (c *control) awaitPhase(kind fleet.RotationKind, want string) {
	c.t.Helper()
	timeout := time.After(trustBound)
	for {
		_, changed := c.trust.Changed()
		got := c.phase(kind)
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			c.t.Fatalf("the rotation of %s is %q, not %q", kind, got, want)
		}
	}
}

// believer is a node that follows announcements.
type believer struct {
	c       *control
	node    *edgetest.Node
	bundle  *edgev1.TrustBundle
	stream  *edgetest.Stream // directory
	replica *edgetest.Replica
}

func (c *control) believer(name string) *believer {
	c.t.Helper()
	node := c.enrol(name)
	return &believer{c: c, node: node, bundle: node.Identity.GetTrust(), replica: node.Replica(directory)}
}

// connect opens both streams and takes what is there.
func (b *believer) connect(version uint64) {
	b.c.t.Helper()
	hello := b.replica.Hello()
	hello.TrustVersion = version
	stream, err := b.node.Open(b.c.t.Context(), directory, hello)
	if err != nil {
		b.c.t.Fatal(err)
	}
	b.stream = stream
	b.c.t.Cleanup(stream.Close)
}

// next returns the next announcement or state.
func (b *believer) next() *edgetest.Event {
	b.c.t.Helper()
	event, err := b.stream.NextState()
	if err != nil {
		b.c.t.Fatal(err)
	}
	return event
}

// learn walks an announcement as a node does.
func (b *believer) learn(event *edgetest.Event) {
	b.c.t.Helper()
	if event.Trust == nil {
		b.c.t.Fatalf("no announcement, but %+v", event)
	}
	for _, link := range event.Trust.GetLinks() {
		next, err := trust.Next(b.bundle.GetVersion(), b.bundle.GetSigningKeys(), link)
		if err != nil {
			b.c.t.Fatal(err)
		}
		b.bundle = next
	}
	b.replica.Believe(b.bundle.GetSigningKeys())
}

func (b *believer) tell() {
	b.c.t.Helper()
	if err := b.stream.Trusted(b.bundle.GetVersion()); err != nil {
		b.c.t.Fatal(err)
	}
}

func (b *believer) take(event *edgetest.Event) {
	b.c.t.Helper()
	if err := b.stream.Apply(b.replica, event); err != nil {
		b.c.t.Fatal(err)
	}
	if err := b.stream.Ack(b.replica); err != nil {
		b.c.t.Fatal(err)
	}
}

// seen returns once the control plane counts the node as connected: with both streams.
func (b *believer) seen(sequence uint64) {
	b.c.t.Helper()
	r := b.node.Replica(configuration)
	b.c.take(b.c.open(b.node, r, configuration), r)
	b.c.settle(1, 0, sequence)
}

func TestANewKeySignsOnlyOnceEveryConnectedNodeBelievesInIt(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	b := c.believer("n")
	b.connect(1)
	b.take(b.next())
	b.seen(1)
	was := c.trust.Signer().Key().GetId()
	made := c.rotate(fleet.RotateSigning)
	announcement := b.next()
	b.learn(announcement)
	// It has heard, and has yet to say that it believes.
	if lag := c.looks(3); lag.Connected != 1 || c.phase(fleet.RotateSigning) != "announced" || c.trust.Signer().Key().GetId() != was {
		t.Fatalf("it is %s, %+v", c.phase(fleet.RotateSigning), lag)
	}
	c.store.PutEntry("b", []byte("2"))
	state := b.next()
	if state.Head.GetKeyId() != was {
		t.Error("a node that lacks the new key is sent what it signed")
	}
	b.take(state)
	b.tell()
	c.awaitPhase(fleet.RotateSigning, "active")
	b.learn(b.next())
	c.store.PutEntry("c", []byte("3"))
	state = b.next()
	if state.Head.GetKeyId() != made.New {
		t.Error("the new key isn't used")
	}
	b.take(state)
	b.tell()
	c.awaitPhase(fleet.RotateSigning, "retired")
	b.learn(b.next())
	if keys := b.bundle.GetSigningKeys(); len(keys) != 1 || keys[0].GetId() != made.New {
		t.Errorf("it believes in %v", keys)
	}
	if kept, err := c.db.Material(t.Context(), "fleet/signing-key"); err != nil || kept != nil {
		t.Errorf("the retired key is still there: %v", err)
	}
}

func TestANodeThatFollowsNoAnnouncementsHoldsARotationUpUntilItIsGone(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	b := c.believer("early")
	b.connect(0)
	b.take(b.next())
	b.seen(1)
	c.rotate(fleet.RotateSigning)
	c.looks(3)
	if phase := c.phase(fleet.RotateSigning); phase != "announced" {
		t.Fatalf("it is %s", phase)
	}
	status, err := c.trust.Status(t.Context())
	if err != nil || len(status.Laggards) != 1 || status.Laggards[0].Node != b.node.Identity.GetNode() || !status.Laggards[0].Connected {
		t.Errorf("%+v, %v", status.Laggards, err)
	}
	b.stream.Close()
	c.awaitPhase(fleet.RotateSigning, "retired")
}

// The version that it has and the one that is announced have the same number, and are two.
func TestANodeThatBelievesInWhatTheDatabaseLostHoldsARotationUpUntilItIsDisabled(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	b := c.believer("ahead")
	b.connect(2)
	b.take(b.next())
	b.seen(1)
	if made := c.rotate(fleet.RotateSigning); made.Version != 2 {
		t.Fatalf("version %d is announced", made.Version)
	}
	before := b.stream
	b.connect(2)
	before.Close()
	held := func(when string) {
		t.Helper()
		if lag := c.looks(3); lag.Connected != 1 || c.phase(fleet.RotateSigning) != "announced" {
			t.Fatalf("%s: it is %s, %+v", when, c.phase(fleet.RotateSigning), lag)
		}
	}
	held("connected")
	status, err := c.trust.Status(t.Context())
	if err != nil || len(status.Laggards) != 1 || !status.Laggards[0].Strays || status.Laggards[0].Version != 2 {
		t.Errorf("%+v, %v", status.Laggards, err)
	}
	b.stream.Close()
	held("gone")
	if err := c.db.Fleet().SetNodeEnabled(t.Context(), c.environment, b.node.Identity.GetNode(), false); err != nil {
		t.Fatal(err)
	}
	c.awaitPhase(fleet.RotateSigning, "retired")
}

func TestANodeThatWasAwayWalksTheChainBeforeAnythingElse(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	b := c.believer("n")
	for range 3 {
		c.rotate(fleet.RotateSigning)
		c.awaitPhase(fleet.RotateSigning, "retired")
	}
	b.connect(1)
	b.learn(b.next())
	if b.bundle.GetVersion() != 10 {
		t.Fatalf("it is led to version %d", b.bundle.GetVersion())
	}
	b.take(b.next())
	if b.replica.Number != 1 {
		t.Errorf("it is at %d", b.replica.Number)
	}
	if _, err := c.trust.Rotate(t.Context(), "pepper"); err == nil {
		t.Error("rotated what it can't")
	}
}

func TestASecondRotationOfAKindIsRefusedInWords(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.enrol("n") // holds its old certificate: the rotation stays open
	c.rotate(fleet.RotateAuthority)
	_, err := c.trust.Rotate(t.Context(), fleet.RotateAuthority)
	if problem.CodeOf(err) != problem.Conflict || !strings.Contains(err.Error(), "rotate status") {
		t.Errorf("got %v", err)
	}
}

func TestEveryReplicaFollowsARotation(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	other, err := fleet.LoadTrust(t.Context(), fleet.TrustConfig{Store: c.db.Trust(), Materials: c.vault, Logger: slog.New(slog.DiscardHandler), Times: quick})
	if err != nil {
		t.Fatal(err)
	}
	made, err := other.Rotate(t.Context(), fleet.RotateSigning)
	if err != nil {
		t.Fatal(err)
	}
	c.awaitPhase(fleet.RotateSigning, "retired")
	if err := other.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, replica := range map[string]*fleet.Trust{"first": c.trust, "second": other} {
		if replica.Version() != 4 || replica.Signer().Key().GetId() != made.New {
			t.Errorf("the %s is at version %d", name, replica.Version())
		}
	}
}

func TestALinkThatSomebodyWroteIntoTheDatabaseIsNotFollowed(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	was := c.trust.Signer().Key().GetId()
	_, err := c.db.Pool().Exec(t.Context(), `INSERT INTO trust_links (version, bundle, signature, key_id, created_at)
		SELECT 2, bundle, signature, key_id, now() FROM trust_links WHERE version = 1`)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.trust.Refresh(t.Context()); err == nil || c.trust.Version() != 1 || c.trust.Signer().Key().GetId() != was {
		t.Errorf("followed: %v", err)
	}
}

func TestNodesAndJoinTokensOfTheOldAuthorityAreTakenUntilItIsRetired(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	early, last := c.token(1, time.Hour), c.token(1, time.Hour)
	b := c.believer("n")
	old := b.bundle.GetAuthorities()[0]
	made := c.rotate(fleet.RotateAuthority)
	c.awaitPhase(fleet.RotateAuthority, "active")
	fresh, err := edgetest.Enroll(t.Context(), c.address, early, "by an early token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fresh.Close)
	if issuer := nameOf(t, fresh.Identity.GetCertificates()[1]); issuer != made.New {
		t.Errorf("a newcomer's certificate is of %s", issuer)
	}
	// It knows the old authority alone, and has its certificate.
	if err := b.node.Connect(); err != nil {
		t.Fatal(err)
	}
	b.connect(1)
	b.learn(b.next())
	if authorities := b.bundle.GetAuthorities(); len(authorities) != 2 || bytes.Equal(authorities[0], old) {
		t.Error("the new authority isn't announced first")
	}
	if err := b.node.RenewByProof(t.Context()); err != nil {
		t.Fatal(err)
	}
	leaf, err := b.node.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(b.bundle.GetAuthorities()[0])
	if err != nil || leaf.CheckSignatureFrom(issuer) != nil {
		t.Errorf("the renewed certificate isn't the new authority's: %v", err)
	}
	b.connect(b.bundle.GetVersion()) // its connection was replaced
	c.awaitPhase(fleet.RotateAuthority, "retired")
	if _, err := edgetest.Enroll(t.Context(), c.address, last, "too late"); err == nil {
		t.Error("the chain still holds the retired authority")
	}
	retired, err := x509.ParseCertificate(old)
	if err != nil {
		t.Fatal(err)
	}
	if c.authority.Fingerprint() == sha256.Sum256(retired.RawSubjectPublicKeyInfo) {
		t.Error("join tokens still name it")
	}
	if _, err := edgetest.EnrollTrusting(t.Context(), c.address, last, "too late", c.authority.Fingerprint()); err == nil || !strings.Contains(err.Error(), "make a new one") {
		t.Errorf("got %v", err)
	}
}

func nameOf(t *testing.T, der []byte) string {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func TestWhatTheOldKeySignedAndWasKeptIsSignedAnew(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	first := c.believer("first")
	first.connect(1)
	first.take(first.next()) // a snapshot, kept for the next to ask
	made := c.rotate(fleet.RotateSigning)
	for c.phase(fleet.RotateSigning) != "retired" {
		first.learn(first.next())
		first.tell()
		if first.bundle.GetVersion() == 4 {
			c.awaitPhase(fleet.RotateSigning, "retired")
		}
	}
	second := c.believer("second")
	second.connect(second.bundle.GetVersion())
	state := second.next()
	if state.Snapshot == nil || state.Head.GetKeyId() != made.New {
		t.Errorf("it is sent %d bytes signed with %s", len(state.Snapshot), state.Head.GetKeyId())
	}
	second.take(state)
}

// An authority of the first builds may certify no other. Until every node believes in its successor it isn't used.
func TestTheSuccessorOfAnAuthorityThatCannotCertifyItWaitsForNodesThatAreAway(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.stop()
	legacy := legacyAuthority(t)
	_, err := c.db.Pool().Exec(t.Context(), "DELETE FROM trust_links")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Pool().Exec(t.Context(), "DELETE FROM materials WHERE name = 'fleet/authority'"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.vault.Material(t.Context(), "fleet/authority", func() ([]byte, error) { return legacy, nil }); err != nil {
		t.Fatal(err)
	}
	c.serve(c.vault, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	b := c.believer("away")
	c.rotate(fleet.RotateAuthority)
	if lag := c.looks(3); lag.Lacking != 1 || lag.Connected != 0 || c.phase(fleet.RotateAuthority) != "announced" {
		t.Fatalf("%+v, %s", lag, c.phase(fleet.RotateAuthority))
	}
	b.connect(1)
	b.learn(b.next())
	b.tell()
	c.awaitPhase(fleet.RotateAuthority, "active")
}

// legacyAuthority is an authority's material as early builds made it.
func legacyAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sallyport authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}
