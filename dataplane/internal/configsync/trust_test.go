package configsync

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// believer believes whatever it is told, unless it fails: how chains are walked is enroll's.
type believer struct {
	mu      sync.Mutex
	version uint64
	keys    map[string]ed25519.PublicKey
	retired map[string]ed25519.PublicKey
	until   map[edgev1.Lane]state.Position
	changed chan struct{}
	fail    error
}

func newBeliever(p *plane) *believer {
	return &believer{version: 1, keys: map[string]ed25519.PublicKey{keyID: p.public}, changed: make(chan struct{})}
}

func (b *believer) TrustVersion() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

func (b *believer) SigningKey(id string) (ed25519.PublicKey, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key, ok := b.keys[id]
	return key, ok
}

func (b *believer) RetiredKey(id string, lane edgev1.Lane) (ed25519.PublicKey, uint64, uint64, bool) {
	key, ok := b.retired[id]
	return key, b.until[lane].Epoch, b.until[lane].Number, ok
}

func (b *believer) Learn(announced *edgev1.Announcements) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.version, b.fail
	}
	var bundle edgev1.TrustBundle
	if err := proto.Unmarshal(announced.GetLinks()[0].GetBundle(), &bundle); err != nil {
		return b.version, err
	}
	b.version, b.keys = bundle.GetVersion(), map[string]ed25519.PublicKey{}
	for _, key := range bundle.GetSigningKeys() {
		b.keys[key.GetId()] = key.GetPublicKey()
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return b.version, nil
}

func (b *believer) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func believing(b *believer) func(*Config) { return func(c *Config) { c.Trust = b } }

// next is the plane with its next key, which takes the place of the one it signs with now.
func nextKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("next"))
	return ed25519.NewKeyFromSeed(seed[:])
}

// signNext is sign with the next key.
func (p *plane) signNext(head *edgev1.Head) *edgev1.SignedHead {
	p.t.Helper()
	body := marshal(p.t, head)
	return &edgev1.SignedHead{Head: body, KeyId: "next", Signature: ed25519.Sign(nextKey(), append([]byte("sallyport head v1\x00"), body...))}
}

// announcement is one of the next key alone.
func (p *plane) announcement(version uint64) *edgev1.SyncDirectoryResponse {
	bundle := &edgev1.TrustBundle{Version: version, SigningKeys: []*edgev1.SigningKey{{Id: "next", PublicKey: nextKey().Public().(ed25519.PublicKey)}}}
	return &edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Trust{
		Trust: &edgev1.Announcements{Links: []*edgev1.SignedTrust{{Bundle: marshal(p.t, bundle)}}},
	}}
}

func TestAnAnnouncementIsInForceForWhatFollowsIt(t *testing.T) {
	p := newPlane(t)
	start(t, p, believing(newBeliever(p)))
	p.next(laneConfiguration)
	d := p.next(laneDirectory)
	if d.hello.GetTrustVersion() != 1 {
		t.Errorf("hello %v", d.hello)
	}
	d.say(p.announcement(2))
	entries := newState(laneDirectory)
	entries.number = 1
	change := entries.setEntry(keyEntry(t, 1))
	d.say(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Delta{
		Delta: &edgev1.DirectoryDelta{Head: p.signNext(entries.head(p)), Changes: []*edgev1.EntryChange{change}},
	}})
	d.acked(1)
	if version := <-p.trusted; version != 2 {
		t.Errorf("it trusts version %d", version)
	}
	entries.number = 2
	d.say(p.entryDelta(entries, 1, entries.setEntry(keyEntry(t, 2)))) // by the key that is gone
	d.nacked(0, codeUnknownKey)
	if again := p.next(laneDirectory); again.hello.GetTrustVersion() != 2 || again.hello.GetNumber() != 1 {
		t.Errorf("hello %v", again.hello)
	}
}

func TestAConfigurationWaitsForTheAnnouncementOfItsKey(t *testing.T) {
	p := newPlane(t)
	n := start(t, p, believing(newBeliever(p)))
	c, d := p.next(laneConfiguration), p.next(laneDirectory)
	configuration := newState(laneConfiguration)
	configuration.number = 1
	change := configuration.set("routes", "rt_1", "one")
	c.say(deltaOf(p.signNext(configuration.head(p)), 0, change))
	d.say(p.announcement(2))
	c.acked(1)
	wantInForce(t, n, configuration)
}

// meanwhile does something while a configuration is compiled.
type meanwhile struct {
	Compiler

	do func()
}

func (m meanwhile) Compile(p Proposal) (func(), []*edgev1.ObjectError) {
	m.do()
	return m.Compiler.Compile(p)
}

// On the disk it would be what nobody may have signed any more, and the node would begin with nothing.
func TestAConfigurationWhoseKeyIsRetiredWhileItIsMadeIsNotTaken(t *testing.T) {
	p := newPlane(t)
	b := newBeliever(p)
	n := start(t, p, believing(b), func(c *Config) {
		c.Compiler = meanwhile{c.Compiler, func() {
			if _, err := b.Learn(p.announcement(2).GetTrust()); err != nil {
				t.Error(err)
			}
		}}
	})
	c := p.next(laneConfiguration)
	p.next(laneDirectory)
	s := newState(laneConfiguration)
	c.say(p.delta(s, 0, s.step("rt_1", "one")))
	c.nacked(1, codeUnknownKey)
	if at := n.Position(); at.Revision != 0 {
		t.Errorf("it is at %+v", at)
	}
}

func TestAnAnnouncementThatIsNotBelievedEndsTheStream(t *testing.T) {
	p := newPlane(t)
	b := newBeliever(p)
	b.fail = errors.New("forged")
	start(t, p, believing(b))
	d := p.next(laneDirectory)
	p.next(laneConfiguration)
	d.say(p.announcement(2))
	d.nacked(0, codeTrustRefused)
	d.ended()
	if again := p.next(laneDirectory); again.hello.GetTrustVersion() != 1 {
		t.Errorf("hello %v", again.hello)
	}
}

func TestOffItsDiskANodeTakesWhatARetiredKeySignedUpToWhereItWasThen(t *testing.T) {
	for name, test := range map[string]struct {
		configuration, directory uint64
		revision, sequence       uint64
	}{
		"all of it":           {configuration: 4, directory: 2, revision: 4, sequence: 2},
		"not what came later": {configuration: 3, directory: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p, _, _ := taught(t, dir)
			b := newBeliever(p)
			b.version, b.retired = 2, b.keys
			b.keys = map[string]ed25519.PublicKey{"next": nextKey().Public().(ed25519.PublicKey)}
			b.until = map[edgev1.Lane]state.Position{
				laneConfiguration: {Epoch: 1, Number: test.configuration}, laneDirectory: {Epoch: 1, Number: test.directory},
			}
			n := start(t, p, keepingIn(t, dir), believing(b))
			if at := n.Position(); at.Revision != test.revision || at.Sequence != test.sequence {
				t.Errorf("it begins at %+v", at)
			}
			d := p.next(laneDirectory)
			p.next(laneConfiguration)
			entries := newState(laneDirectory)
			entries.number = 9
			d.say(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Beat{Beat: p.sign(entries.head(p))}})
			d.nacked(0, codeUnknownKey) // over the wire it is good for nothing
		})
	}
}
