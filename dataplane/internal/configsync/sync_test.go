package configsync

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/position"
)

const (
	laneConfiguration = edgev1.Lane_LANE_CONFIGURATION
	laneDirectory     = edgev1.Lane_LANE_DIRECTORY
)

func keyDigest(n int) apikey.Digest { return sha256.Sum256(fmt.Append(nil, "key ", n)) }

// keyEntry is the n-th API key.
func keyEntry(t testing.TB, n int, scopes ...string) *edgev1.EntryChange {
	t.Helper()
	sum, id := keyDigest(n), sha256.Sum256(fmt.Append(nil, n))
	k := &directoryv1.ApiKey{Digest: sum[:], Id: id[:16], Consumer: id[:16], Scopes: scopes}
	return &edgev1.EntryChange{Key: sum[:], Entry: marshal(t, &directoryv1.Entry{Body: &directoryv1.Entry_ApiKey{ApiKey: k}})}
}

func gone(change *edgev1.EntryChange) *edgev1.EntryChange {
	return &edgev1.EntryChange{Key: change.GetKey()}
}

// wantInForce fails unless the state is in force on the node.
func wantInForce(t *testing.T, n *node, s *laneState) {
	t.Helper()
	if s.lane == laneConfiguration {
		if err := n.compiler.holds(s); err != nil {
			t.Fatal(err)
		}
		return
	}
	if sequence, sum := n.directory.Head(); sequence != s.number || !bytes.Equal(sum[:], s.digest()) {
		t.Fatalf("the directory is at %d, want %d", sequence, s.number)
	}
}

// begin starts a node and brings its configuration to revision 3 by a snapshot.
func begin(t *testing.T, change ...func(*Config)) (*plane, *node, *laneState, *conversation) {
	t.Helper()
	p := newPlane(t)
	n := start(t, p, change...)
	c := p.next(laneConfiguration)
	s := newState(laneConfiguration)
	s.number = 3
	s.set("routes", "rt_1", "one")
	s.set("services", "svc_1", "two")
	c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 7)
	c.acked(3)
	wantInForce(t, n, s)
	return p, n, s, c
}

// step changes the state and its number.
func (s *laneState) step(id, object string) *edgev1.ObjectChange {
	s.number++
	return s.set("routes", id, object)
}

func TestNodeFollowsBothLanesAndIsReadyOnceBothAreApplied(t *testing.T) {
	p, n, s, c := begin(t)
	if c.hello.GetEpoch() != 0 || c.hello.GetNumber() != 0 || c.hello.GetCapability() != Capability || len(c.hello.GetBoot()) < 16 || c.hello.GetBuild() != "test" {
		t.Errorf("hello %v", c.hello)
	}
	select {
	case <-n.Ready():
		t.Error("ready without a directory")
	default:
	}

	d, entries := p.next(laneDirectory), newState(laneDirectory)
	entries.number = 8
	entries.setEntry(keyEntry(t, 1))
	d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), maxChunk)
	d.acked(8)
	<-n.Ready()
	wantInForce(t, n, entries)

	entries.number = 10
	d.say(p.entryDelta(entries, 8, entries.setEntry(gone(keyEntry(t, 1))), entries.setEntry(keyEntry(t, 2))))
	d.acked(10)
	if _, found := n.directory.Key(keyDigest(1)); found {
		t.Error("the revoked key is found")
	}
	c.say(p.delta(s, 3, s.step("rt_1", "changed"), s.set("services", "svc_1", ""), s.set("routes", "rt_2", "new")))
	c.acked(4)
	wantInForce(t, n, s)
	if got := n.Position(); got != (position.Position{Epoch: 1, Revision: 4, Sequence: 10}) {
		t.Errorf("position %v", got)
	}
	if last := n.compiler.last(); last.Whole || len(last.Changed) != 3 {
		t.Errorf("%d changed, whole %v", len(last.Changed), last.Whole)
	}
}

func TestBeatsVouchForWhatIsHeldAndNeverBackwards(t *testing.T) {
	p, n, s, c := begin(t)
	old := p.beat(s)
	fresh := s.head(p)
	c.say(beatOf(p.sign(fresh)))
	c.say(old) // said again by somebody
	c.say(p.delta(s, 3, s.step("rt_1", "x")))
	fence := p.seconds
	c.acked(4)
	if configuration, directory := n.Confirmed(); configuration.Unix() != 1_700_000_000+fence || !directory.IsZero() {
		t.Errorf("confirmed %v, %v", configuration, directory)
	}
	if stats, _ := n.Stats(); stats.Beats != 2 || !stats.Connected || stats.Nacks != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestEmptyLaneIsHeldFromItsFirstBeat(t *testing.T) {
	p := newPlane(t)
	n := start(t, p)
	p.next(laneConfiguration).say(p.beat(newState(laneConfiguration)))
	p.next(laneDirectory).say(p.beat(newState(laneDirectory)))
	<-n.Ready()
	if first := n.compiler.last(); !first.Whole || len(first.Changed) != 0 {
		t.Errorf("nothing was there before, and yet: %+v", first)
	}
	if got := n.Position(); got != (position.Position{Epoch: 1}) {
		t.Errorf("position %v", got)
	}
}

func TestBeatOfTheSameStateUnderALaterNumberMovesTheLane(t *testing.T) {
	p, n, s, c := begin(t)
	s.number = 9
	c.say(p.beat(s))
	c.say(p.delta(s, 9, s.step("rt_1", "x")))
	c.acked(10)
	wantInForce(t, n, s)
}

func TestHeadsThatAreNotTheControlPlanesWordAreRefused(t *testing.T) {
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	head := func(change func(*edgev1.Head)) func(*plane, *laneState) *edgev1.SignedHead {
		return func(p *plane, s *laneState) *edgev1.SignedHead {
			h := s.head(p)
			change(h)
			return p.sign(h)
		}
	}
	tests := map[string]struct {
		head   func(*plane, *laneState) *edgev1.SignedHead
		code   string
		number uint64
	}{
		"signed by another": {func(p *plane, s *laneState) *edgev1.SignedHead {
			signed := p.sign(s.head(p))
			signed.Signature = ed25519.Sign(stranger, append([]byte(headContext), signed.GetHead()...))
			return signed
		}, codeBadSignature, 0},
		"signed without the context": {func(p *plane, s *laneState) *edgev1.SignedHead {
			signed := p.sign(s.head(p))
			signed.Signature = ed25519.Sign(p.key, signed.GetHead())
			return signed
		}, codeBadSignature, 0},
		"changed afterwards": {func(p *plane, s *laneState) *edgev1.SignedHead {
			signed := p.sign(s.head(p))
			signed.Head[len(signed.Head)-1] ^= 1
			return signed
		}, codeBadSignature, 0},
		"of an unknown key": {func(p *plane, s *laneState) *edgev1.SignedHead {
			signed := p.sign(s.head(p))
			signed.KeyId = "k2"
			return signed
		}, codeUnknownKey, 0},
		"absent":                 {func(*plane, *laneState) *edgev1.SignedHead { return nil }, codeUnknownKey, 0},
		"of another environment": {head(func(h *edgev1.Head) { h.Environment = "env_other" }), codeWrongEnvironment, 0},
		"of the other lane":      {head(func(h *edgev1.Head) { h.Lane = laneDirectory }), codeWrongLane, 0},
		"without a digest":       {head(func(h *edgev1.Head) { h.Digest = nil }), codeBadHead, 0},
		"without an epoch":       {head(func(h *edgev1.Head) { h.Epoch = 0 }), codeBadHead, 0},
		"without a time":         {head(func(h *edgev1.Head) { h.Time = nil }), codeBadHead, 0},
		"with an absurd time":    {head(func(h *edgev1.Head) { h.Time = &timestamppb.Timestamp{Nanos: -1} }), codeBadHead, 0},
		"of a lower number":      {head(func(h *edgev1.Head) { h.Number = 2 }), codeLowerPosition, 2},
		"of a lower epoch":       {head(func(h *edgev1.Head) { h.Epoch = 1 }), codeLowerPosition, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, n, s, c := begin(t)
			if tt.number == 4 { // a new epoch begins with a snapshot
				s.epoch = 2
				c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), maxChunk)
				c.acked(3)
			}
			before := n.Position()
			c.say(deltaOf(tt.head(p, &laneState{lane: s.lane, epoch: s.epoch, number: 4, content: s.content}), 3))
			c.nacked(tt.number, tt.code)
			c.ended()
			wantInForce(t, n, s)
			again := p.next(laneConfiguration)
			if stats, _ := n.Stats(); stats.RefusedHeads != 1 || n.Position() != before || again.hello.GetNumber() != 3 {
				t.Errorf("%+v at %v, hello %v", stats, n.Position(), again.hello)
			}
		})
	}
}

func TestDigestMismatchIsAnsweredByASnapshot(t *testing.T) {
	p, n, s, c := begin(t)
	held := &laneState{lane: s.lane, epoch: 1, number: 3, content: map[Ref][]byte{}}
	for ref, object := range s.content {
		held.content[ref] = object
	}
	change := s.step("rt_1", "signed")
	forged := proto.Clone(change).(*edgev1.ObjectChange)
	forged.Object = []byte("other")
	c.say(p.delta(s, 3, forged))
	if nack := c.nacked(4, codeDigestMismatch); !nack.GetResync() {
		t.Error("asks for no snapshot")
	}
	wantInForce(t, n, held)
	c.say(p.beat(held)) // sent before the nack came

	wrong := &laneState{lane: s.lane, content: map[Ref][]byte{{Collection: "routes", ID: "rt_1"}: []byte("other")}}
	c.sendSnapshot(p.sign(s.head(p)), compress(t, wrong.snapshot(t)), 7)
	if nack := c.nacked(4, codeDigestMismatch); !nack.GetResync() {
		t.Error("asks for no second snapshot")
	}
	c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 7)
	c.acked(4)
	wantInForce(t, n, s)
	if stats, _ := n.Stats(); stats.Mismatches != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestBeatOfAnotherDigestStartsAnew(t *testing.T) {
	p, n, s, c := begin(t)
	s.set("routes", "rt_1", "another history")
	c.say(p.beat(s))
	c.ended()
	again := p.next(laneConfiguration)
	if stats, _ := n.Stats(); stats.Mismatches != 1 || again.hello.GetNumber() != 3 {
		t.Errorf("%+v, hello %v", stats, again.hello)
	}
}

func TestWhatDoesNotCompileIsRefusedWholeAndTheNextDeltaLeadsFromWhatIsHeld(t *testing.T) {
	for _, bad := range []string{"bad object", "panic object"} {
		t.Run(bad, func(t *testing.T) {
			p, n, s, c := begin(t)
			held := map[Ref][]byte{}
			for ref, object := range s.content {
				held[ref] = object
			}
			c.say(p.delta(s, 3, s.step("rt_1", bad), s.set("routes", "rt_9", "good")))
			answer := c.answer().(*edgev1.Nack)
			if answer.GetNumber() != 4 || answer.GetResync() || len(answer.GetErrors()) != 1 {
				t.Fatalf("%v", answer)
			}
			if e := answer.GetErrors()[0]; bad == "bad object" && (e.GetCollection() != "routes" || e.GetId() != "rt_1" || e.GetPointer() != "/x" || e.GetCode() != "bad") {
				t.Errorf("%v", e)
			}
			wantInForce(t, n, &laneState{lane: s.lane, number: 3, content: held})

			c.say(p.delta(s, 3, s.step("rt_1", "mended"), s.set("routes", "rt_9", "good")))
			c.acked(5)
			wantInForce(t, n, s)
		})
	}
}

func TestSnapshotThatDoesNotCompileIsRefusedAndALaterOneTaken(t *testing.T) {
	p, n, s, c := begin(t)
	held := &laneState{lane: s.lane, number: 3, content: map[Ref][]byte{}}
	for ref, object := range s.content {
		held.content[ref] = object
	}
	s.step("rt_1", "bad object")
	c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 5)
	c.nacked(4, "bad")
	wantInForce(t, n, held)
	s.step("rt_1", "mended")
	c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 5)
	c.acked(5)
	wantInForce(t, n, s)
}

func TestDeltaFromAnotherBaseIsRefused(t *testing.T) {
	p, n, s, c := begin(t)
	s.number = 4
	c.say(p.delta(s, 2, s.step("rt_1", "x")))
	c.nacked(5, codeWrongBase)
	c.ended()
	again := p.next(laneConfiguration)
	if again.hello.GetNumber() != 3 || n.Position().Revision != 3 {
		t.Fatalf("hello %v", again.hello)
	}
	again.say(p.delta(s, 3, s.set("routes", "rt_1", "x")))
	again.acked(5)
	wantInForce(t, n, s)
}

func TestConfigurationWaitsForTheDirectoryItNeeds(t *testing.T) {
	p, n, s, c := begin(t)
	d, entries := p.next(laneDirectory), newState(laneDirectory)
	s.needs = 6
	c.say(p.delta(s, 3, s.step("rt_1", "needs a key")))
	for entries.number < 5 {
		before := entries.number
		entries.number++
		d.say(p.entryDelta(entries, before, entries.setEntry(keyEntry(t, int(before)))))
		d.acked(entries.number)
		if n.Position().Revision != 3 {
			t.Fatalf("in force at sequence %d", entries.number)
		}
	}
	entries.number = 6
	d.say(p.entryDelta(entries, 5, entries.setEntry(keyEntry(t, 6))))
	d.acked(6)
	c.acked(4)
	wantInForce(t, n, s)
}

func TestNodeStopsWhileAConfigurationWaits(t *testing.T) {
	p, n, s, c := begin(t)
	s.needs = 100
	c.say(p.delta(s, 3, s.step("rt_1", "x")))
	n.stop()
	if n.Position().Revision != 3 {
		t.Error("in force without the directory")
	}
}

func TestBrokenStreamIsResumedFromWhatIsHeld(t *testing.T) {
	p, n, s, c := begin(t)
	for range 3 {
		digestHeld := s.digest()
		number := s.number
		c.hangUp()
		c = p.next(laneConfiguration)
		if c.hello.GetNumber() != number || c.hello.GetEpoch() != 1 || !bytes.Equal(c.hello.GetDigest(), digestHeld) {
			t.Fatalf("hello %v", c.hello)
		}
		wantInForce(t, n, s) // it serves meanwhile
		c.say(p.delta(s, number, s.step("rt_1", fmt.Sprint(number))))
		c.acked(number + 1)
		wantInForce(t, n, s)
	}
}

func TestSilentStreamIsGivenUp(t *testing.T) {
	p := newPlane(t)
	start(t, p, func(c *Config) { c.Silence = time.Millisecond })
	for range 3 {
		p.next(laneConfiguration).ended()
	}
}

func TestSnapshotsThatPassTheBoundsAreRefused(t *testing.T) {
	tests := map[string]struct {
		send func(*plane, *laneState, *conversation)
		code string
		ends bool
	}{
		"a chunk too big": {func(p *plane, s *laneState, c *conversation) {
			c.say(chunkOf(&edgev1.SnapshotChunk{Head: p.sign(s.head(p)), Data: make([]byte, maxChunk+1), Last: true}))
		}, codeTooLarge, true},
		"a later chunk too big": {func(p *plane, s *laneState, c *conversation) {
			c.say(chunkOf(&edgev1.SnapshotChunk{Head: p.sign(s.head(p)), Data: compress(p.t, s.snapshot(p.t))[:3]}))
			c.say(chunkOf(&edgev1.SnapshotChunk{Data: make([]byte, maxChunk+1), Last: true}))
		}, codeTooLarge, true},
		"a second head inside": {func(p *plane, s *laneState, c *conversation) {
			c.say(chunkOf(&edgev1.SnapshotChunk{Head: p.sign(s.head(p)), Data: []byte{1}}))
			c.say(chunkOf(&edgev1.SnapshotChunk{Head: p.sign(s.head(p)), Data: []byte{1}, Last: true}))
		}, codeMalformed, true},
		"a beat inside": {func(p *plane, s *laneState, c *conversation) {
			c.say(chunkOf(&edgev1.SnapshotChunk{Head: p.sign(s.head(p)), Data: []byte{1}}))
			c.say(p.beat(s))
		}, codeMalformed, true},
		"an object too big": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, append([]byte{10, 0xff, 0xff, 0xff, 0x7f}, make([]byte, 9<<20)...)), maxChunk)
		}, codeTooLarge, false},
		"not zstd": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), bytes.Repeat([]byte("no"), maxChunk), maxChunk)
		}, codeMalformed, false},
		"cut": {func(p *plane, s *laneState, c *conversation) {
			whole := compress(p.t, s.snapshot(p.t))
			c.sendSnapshot(p.sign(s.head(p)), whole[:len(whole)-3], 4)
		}, codeMalformed, false},
		"cut inside a message": {func(p *plane, s *laneState, c *conversation) {
			whole := s.snapshot(p.t)
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, whole[:len(whole)-1]), 4)
		}, codeMalformed, false},
		"another field": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, append(s.snapshot(p.t), 16, 1)), 4)
		}, codeUnknownField, false},
		"an unknown field in an object": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, append(s.snapshot(p.t), 10, 2, 96, 1)), 4)
		}, codeUnknownField, false},
		"an object twice": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, append(s.snapshot(p.t), s.snapshot(p.t)...)), 4)
		}, codeMalformed, false},
		"an object without id": {func(p *plane, s *laneState, c *conversation) {
			c.sendSnapshot(p.sign(s.head(p)), compress(p.t, append(s.snapshot(p.t), 10, 0)), 4)
		}, codeMalformed, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, n, s, c := begin(t)
			before := n.Position()
			s.number = 4
			tt.send(p, s, c)
			c.nacked(4, tt.code)
			if tt.ends {
				c.ended()
				c = p.next(laneConfiguration)
			}
			if n.Position() != before {
				t.Fatalf("at %v", n.Position())
			}
			c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 7)
			c.acked(4)
			wantInForce(t, n, s)
		})
	}
}

func TestUnknownFieldsAreRefusedUntilTheControlPlaneSendsNone(t *testing.T) {
	p, n, s, c := begin(t)
	change := s.step("rt_1", "new")
	change.ProtoReflect().SetUnknown([]byte{0xf8, 0x06, 1})
	c.say(p.delta(s, 3, change))
	c.nacked(4, codeUnknownField)
	change = s.step("rt_1", "newer")
	c.say(p.delta(s, 3, change))
	c.acked(5)
	wantInForce(t, n, s)

	s.number++
	h := s.head(p)
	h.ProtoReflect().SetUnknown([]byte{0xf8, 0x06, 1})
	c.say(deltaOf(p.sign(h), 5))
	c.nacked(6, codeUnknownField)
}

func TestBadEntriesAreRefusedAndTheDirectoryKept(t *testing.T) {
	p := newPlane(t)
	n := start(t, p)
	d, entries := p.next(laneDirectory), newState(laneDirectory)
	entries.number = 1
	d.say(p.entryDelta(entries, 0, entries.setEntry(keyEntry(t, 1))))
	d.acked(1)
	bad := keyEntry(t, 2)
	bad.Entry = keyEntry(t, 3).GetEntry()
	entries.number = 2
	d.say(p.entryDelta(entries, 1, bad))
	d.nacked(2, codeMalformed)
	unknown := keyEntry(t, 2)
	unknown.Entry = append(unknown.Entry, 0xf8, 0x06, 1)
	d.say(p.entryDelta(entries, 1, unknown))
	d.nacked(2, codeUnknownField)
	if sequence, _ := n.directory.Head(); sequence != 1 {
		t.Errorf("at %d", sequence)
	}
}

// However objects change, whatever is refused on the way, and however often the stream breaks, what
// is in force is the last state that could be.
func TestRandomHistoriesEndWithTheControlPlanesState(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := mathrand.New(mathrand.NewPCG(seed, 9))
			p, n, s, c := begin(t)
			held := s.number
			pending := map[Ref]bool{} // changed since what the node holds
			for range 60 {
				var changes []*edgev1.ObjectChange
				s.number++
				for range r.IntN(4) {
					pending[randomStep(r, s)] = true
				}
				bad := r.IntN(5) == 0
				ref := Ref{Collection: "routes", ID: "rt_poison"}
				if pending[ref] = true; bad {
					s.set(ref.Collection, ref.ID, "bad")
				} else {
					s.set(ref.Collection, ref.ID, "")
				}
				for ref := range pending {
					changes = append(changes, &edgev1.ObjectChange{Collection: ref.Collection, Id: ref.ID, Object: s.content[ref]})
				}
				switch r.IntN(6) {
				case 0:
					c.hangUp()
					if c = p.next(laneConfiguration); c.hello.GetNumber() != held {
						t.Fatalf("hello %v, want %d", c.hello, held)
					}
					c.say(p.delta(s, held, changes...))
				case 1:
					c.sendSnapshot(p.sign(s.head(p)), compress(t, s.snapshot(t)), 1+r.IntN(60))
				default:
					c.say(p.delta(s, held, changes...))
				}
				if bad {
					c.nacked(s.number, "bad")
					continue
				}
				c.acked(s.number)
				held = s.number
				clear(pending)
				wantInForce(t, n, s)
			}
		})
	}
}

func randomStep(r *mathrand.Rand, s *laneState) Ref {
	ref := Ref{Collection: []string{"routes", "services"}[r.IntN(2)], ID: fmt.Sprint("x_", r.IntN(12))}
	object := ""
	if r.IntN(3) > 0 {
		object = fmt.Sprint("content ", r.IntN(100))
	}
	s.set(ref.Collection, ref.ID, object)
	return ref
}

func TestNewRefusesToTrustNothing(t *testing.T) {
	public := make([]byte, ed25519.PublicKeySize)
	bad := map[string][]*edgev1.SigningKey{
		"no key":    nil,
		"short key": {{Id: "a", PublicKey: public[1:]}},
		"no id":     {{PublicKey: public}},
		"twice":     {{Id: "a", PublicKey: public}, {Id: "a", PublicKey: public}},
	}
	for name, keys := range bad {
		if _, err := signingKeys(keys); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration is taken")
	}
}

func TestPauseGrowsToItsBoundAndEndsWithItsContext(t *testing.T) {
	p := &pause{least: 100, most: 1000}
	for _, most := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if got := p.step(); got < most/2 || got > most {
			t.Errorf("%d, want %d to %d", got, most/2, most)
		}
	}
	p.reset()
	if got := p.step(); got > 100 {
		t.Errorf("%d after reset", got)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSilent)
	if err := (&pause{least: time.Hour, most: time.Hour}).wait(ctx); !errors.Is(err, errSilent) {
		t.Errorf("%v", err)
	}
}

func FuzzSnapshot(f *testing.F) {
	s := newState(laneConfiguration)
	s.set("routes", "rt_1", "one")
	f.Add(compress(f, s.snapshot(f)), 3)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, compressed []byte, size int) {
		c := newConfiguration(nil, nil, nil)
		rest := compressed
		next := func() (*edgev1.SnapshotChunk, error) {
			n := min(max(size, 1), len(rest))
			chunk := &edgev1.SnapshotChunk{Data: rest[:n], Last: n == len(rest)}
			rest = rest[n:]
			return chunk, nil
		}
		first, _ := next()
		candidate, err := c.prepareSnapshot(newChunks(first, 1<<20, next))
		if err != nil {
			return
		}
		var set digest.Set
		for ref, object := range candidate.(*nextConfiguration).objects.All() {
			set.Put(digest.KeyOf(ref.Collection, ref.ID), digest.HashOf(object))
		}
		if set.Head() != candidate.digest() {
			t.Fatal("the digest isn't that of the objects")
		}
	})
}
