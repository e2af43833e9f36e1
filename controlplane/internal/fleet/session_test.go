package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestNodeWithNothingGetsASnapshotThenDeltas(t *testing.T) {
	b := newBench(t)
	b.store.PutEntry("a", []byte("1"))
	b.store.PutEntry("b", []byte("2"))
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)

	if step := b.take(session, r); step.Snapshot == nil || r.Number != 2 || len(r.Entries) != 2 {
		t.Fatalf("the first step is %+v, the replica at %d", step, r.Number)
	}
	b.nothing(session)
	b.awaitHead(lane, b.store.PutEntry("a", nil))
	if step := b.take(session, r); step.Delta == nil || len(r.Entries) != 1 {
		t.Fatalf("the second step is %+v", step)
	}
}

func TestEmptyLaneIsHeldToo(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(configuration), b.replica(configuration)
	b.take(b.mustGreet(lane, r), r)
	if r.Epoch != 1 || r.Number != 0 {
		t.Fatalf("the replica is at %d in epoch %d", r.Number, r.Epoch)
	}
}

func TestNodeResumesByDeltaFromWhatItHolds(t *testing.T) {
	for _, kind := range []edgev1.Lane{configuration, directory} {
		b := newBench(t)
		put := func(name string) uint64 {
			if kind == configuration {
				return b.store.PutObject(name, []byte(name))
			}
			return b.store.PutEntry(name, []byte(name))
		}
		put("a")
		lane, r := b.open(kind), b.replica(kind)
		b.take(b.mustGreet(lane, r), r)
		put("b")
		b.awaitHead(lane, put("c"))

		session := b.mustGreet(lane, r) // it was away
		if step := b.take(session, r); step.Delta == nil || step.Delta.From != 1 || r.Number != 3 {
			t.Fatalf("%v: resumed by %+v", kind, step)
		}
	}
}

func TestOneDeltaIsOnTheWayAndTheRestIsCoalesced(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)
	b.take(session, r)
	b.awaitHead(lane, b.store.PutEntry("a", []byte("1")))
	slow := b.next(session)
	for i := range 50 {
		b.awaitHead(lane, b.store.PutEntry("b", fmt.Append(nil, i)))
		b.nothing(session)
	}
	b.apply(r, slow)
	if err := session.Ack(&edgev1.Ack{Number: r.Number, Digest: r.Digest()}); err != nil {
		t.Fatal(err)
	}
	if step := b.take(session, r); step.Delta == nil || step.Delta.From != 1 || len(step.Delta.Entries) != 1 || r.Number != 51 {
		t.Fatalf("the rest came as %+v, the replica is at %d", step.Delta, r.Number)
	}
}

func TestRefusedStateIsSentAgainOnlyWithANewerHead(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(configuration), b.replica(configuration)
	session := b.mustGreet(lane, r)
	b.take(session, r)
	b.awaitHead(lane, b.store.PutObject("bad", []byte("bad")))
	step := b.next(session)
	nack := &edgev1.Nack{Number: step.Head.Number, Errors: []*edgev1.ObjectError{{Collection: "routes", Id: "bad", Code: "x"}}}
	if err := session.Nack(nack); err != nil {
		t.Fatal(err)
	}
	b.nothing(session)
	if beat, err := session.Beat(); err != nil || beat == nil {
		t.Errorf("no beat after a nack: %v, %v", beat, err)
	}
	b.awaitHead(lane, b.store.PutObject("bad", []byte("good")))
	if step := b.take(session, r); step.Delta == nil || step.Delta.From != 0 || r.Number != 2 {
		t.Fatalf("the newer head came as %+v", step)
	}
}

func TestNodeThatAsksForResyncGetsASnapshotOnceThenWaits(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)
	b.take(session, r)
	b.awaitHead(lane, b.store.PutEntry("a", []byte("1")))
	step := b.next(session)
	resync := &edgev1.Nack{Number: step.Head.Number, Resync: true}
	if err := session.Nack(resync); err != nil {
		t.Fatal(err)
	}
	if step := b.next(session); step.Snapshot == nil {
		t.Fatalf("the answer to a resync is %+v", step)
	}
	if err := session.Nack(resync); err != nil {
		t.Fatal(err)
	}
	b.nothing(session)
	if wait, ok := session.Wait(); !ok || wait <= 0 {
		t.Errorf("the second resync isn't delayed: %v, %v", wait, ok)
	}
	if b.stats.Mismatches.Load() != 2 {
		t.Errorf("%d mismatches", b.stats.Mismatches.Load())
	}
}

func TestDigestThatDiffersTakesASnapshot(t *testing.T) {
	tests := map[string]func(*bench, *fleet.Lane, *edgetest.Replica) *fleet.Session{
		"in hello at the head": func(b *bench, lane *fleet.Lane, r *edgetest.Replica) *fleet.Session {
			hello := r.Hello()
			hello.Digest = bytes.Repeat([]byte{1}, 32)
			session, err := b.greet(lane, hello)
			if err != nil {
				t.Fatal(err)
			}
			return session
		},
		"in hello at an earlier revision": func(b *bench, lane *fleet.Lane, r *edgetest.Replica) *fleet.Session {
			hello := r.Hello()
			hello.Digest = bytes.Repeat([]byte{1}, 32)
			b.awaitHead(lane, b.store.PutObject("x", []byte("x")))
			session, err := b.greet(lane, hello)
			if err != nil {
				t.Fatal(err)
			}
			return session
		},
		"in an ack": func(b *bench, lane *fleet.Lane, r *edgetest.Replica) *fleet.Session {
			session := b.mustGreet(lane, r)
			b.awaitHead(lane, b.store.PutObject("x", []byte("x")))
			step := b.next(session)
			if err := session.Ack(&edgev1.Ack{Number: step.Head.Number, Digest: []byte("another")}); err != nil {
				t.Fatal(err)
			}
			return session
		},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.store.PutObject("a", []byte("a"))
			lane, r := b.open(configuration), b.replica(configuration)
			b.take(b.mustGreet(lane, r), r)
			session := begin(b, lane, r)
			if step := b.take(session, r); step.Snapshot == nil {
				t.Errorf("it got %+v", step)
			}
			if b.stats.Mismatches.Load() != 1 {
				t.Errorf("%d mismatches", b.stats.Mismatches.Load())
			}
		})
	}
}

func TestHelloAheadOfTheDatabaseIsRefused(t *testing.T) {
	b := newBench(t)
	b.store.PutEntry("a", []byte("1"))
	lane, r := b.open(directory), b.replica(directory)
	b.take(b.mustGreet(lane, r), r)
	for name, hello := range map[string]*edgev1.Hello{
		"higher number": {Epoch: 1, Number: 2, Digest: r.Digest()},
		"higher epoch":  {Epoch: 2, Number: 1, Digest: r.Digest()},
	} {
		if _, err := b.greet(lane, hello); problem.CodeOf(err) != problem.PositionAhead {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.stats.Ahead.Load() != 2 {
		t.Errorf("%d counted", b.stats.Ahead.Load())
	}
}

func TestNodeThatAnotherReplicaServedFurtherIsNotRefused(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	b.take(b.mustGreet(lane, r), r)
	// Committed, but this replica need not have heard of it.
	number := b.store.PutEntry("a", []byte("1"))
	head, err := b.store.DirectoryHead(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.greet(lane, &edgev1.Hello{Epoch: 1, Number: number, Digest: head.Digest}); err != nil {
		t.Error(err)
	}
}

func TestNodeThatNeverHeldThisEpochGetsASnapshot(t *testing.T) {
	b := newBench(t)
	b.store.PutEntry("a", []byte("1"))
	lane, r := b.open(directory), b.replica(directory)
	session, err := b.greet(lane, &edgev1.Hello{Epoch: 0, Number: 0})
	if err != nil {
		t.Fatal(err)
	}
	if step := b.take(session, r); step.Snapshot == nil {
		t.Errorf("it got %+v", step)
	}
}

func TestAnswerToNothingBreaksTheProtocol(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)
	if err := session.Ack(&edgev1.Ack{Number: 7}); !errors.Is(err, fleet.ErrProtocol) {
		t.Errorf("an ack of nothing: %v", err)
	}
	b.next(session)
	if err := session.Ack(&edgev1.Ack{Number: 7}); !errors.Is(err, fleet.ErrProtocol) {
		t.Errorf("an ack of something else: %v", err)
	}
}

func TestAckOfABeatMovesTheCursor(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(configuration), b.replica(configuration)
	session := b.mustGreet(lane, r)
	b.take(session, r)
	b.awaitHead(lane, b.store.PutObject("a", []byte("bad")))
	if err := session.Nack(&edgev1.Nack{Number: b.next(session).Head.Number}); err != nil {
		t.Fatal(err)
	}
	// The change is taken back: the node holds that state already, and says so when a beat names it.
	b.awaitHead(lane, b.store.PutObject("a", nil))
	if err := session.Ack(&edgev1.Ack{Number: 2, Digest: r.Digest()}); err != nil {
		t.Fatal(err)
	}
	b.nothing(session)
}

func TestDeltaIsReadOnceForAllNodes(t *testing.T) {
	b := newBench(t)
	lane := b.open(directory)
	const nodes = 20
	sessions, replicas := make([]*fleet.Session, nodes), make([]*edgetest.Replica, nodes)
	for i := range nodes {
		replicas[i] = b.replica(directory)
		sessions[i] = b.mustGreet(lane, replicas[i])
		b.take(sessions[i], replicas[i])
	}
	if n := b.store.Reads("snapshot"); n != 1 {
		t.Errorf("%d snapshots were built", n)
	}
	b.awaitHead(lane, b.store.PutEntry("a", []byte("1")))
	var all sync.WaitGroup
	for i := range nodes {
		all.Go(func() { b.take(sessions[i], replicas[i]) })
	}
	all.Wait()
	if n := b.store.Reads("delta"); n != 1 {
		t.Errorf("%d deltas were read", n)
	}
}

func TestDeltaTooBigForAMessageTravelsAsASnapshot(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)
	b.take(session, r)
	var last uint64
	for i := range 5 {
		last = b.store.PutEntry(fmt.Sprint(i), edgetest.Filler(900_000, uint64(i)))
	}
	b.awaitHead(lane, last)
	step := b.take(session, r)
	if step.Snapshot == nil || len(step.Snapshot.Chunks) < 10 || r.Number != 5 {
		t.Fatalf("it came as %+v", step.Delta)
	}
	for i, chunk := range step.Snapshot.Chunks {
		if len(chunk) == 0 || len(chunk) > 256<<10 {
			t.Errorf("chunk %d has %d bytes", i, len(chunk))
		}
	}
}

func TestKeptSnapshotNeverLeadsANodeBack(t *testing.T) {
	b := newBench(t)
	b.store.PutEntry("a", []byte("1"))
	lane, r := b.open(directory), b.replica(directory)
	session := b.mustGreet(lane, r)
	b.take(session, r) // keeps a snapshot at 1
	b.awaitHead(lane, b.store.PutEntry("a", []byte("2")))
	b.take(session, r)
	hello := r.Hello()
	hello.Digest = bytes.Repeat([]byte{9}, 32)
	session, err := b.greet(lane, hello)
	if err != nil {
		t.Fatal(err)
	}
	if step := b.next(session); step.Snapshot == nil || step.Head.Number < 2 {
		t.Errorf("a node at 2 got %+v", step.Head)
	}
}

func TestReplicaWithoutDatabaseDoesNotVouchForFreshness(t *testing.T) {
	b := newBench(t)
	lane, r := b.open(directory), b.replica(directory)
	_, before, err := lane.Signed()
	if err != nil {
		t.Fatal(err)
	}
	b.store.Fail(errors.New("gone"))
	if err := lane.Refresh(context.Background()); err == nil {
		t.Fatal("the read did not fail")
	}
	_, after, err := lane.Signed()
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := r.Verify(before)
	second, err2 := r.Verify(after)
	if err1 != nil || err2 != nil || !first.GetTime().AsTime().Equal(second.GetTime().AsTime()) {
		t.Errorf("%v, then %v: %v, %v", first, second, err1, err2)
	}
}

func TestLaneThatCannotBeReadIsNotOpenedAndComesBack(t *testing.T) {
	b := newBench(t)
	gone := errors.New("gone")
	b.store.Fail(gone)
	if _, _, err := b.lanes.Open(t.Context(), b.identity.Environment, directory); !errors.Is(err, gone) {
		t.Fatalf("opened: %v", err)
	}
	b.store.Fail(nil)
	b.open(directory)
}
