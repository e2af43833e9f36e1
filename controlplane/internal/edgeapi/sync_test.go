package edgeapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestNodeGetsSnapshotThenDeltasThenResumes(t *testing.T) {
	for _, lane := range []edgev1.Lane{configuration, directory} {
		t.Run(lane.String(), func(t *testing.T) {
			c := newControl(t, edgeapi.Times{})
			put := c.store.PutEntry
			if lane == configuration {
				put = c.store.PutObject
			}
			put("a", []byte("1"))
			node := c.enrol("n")
			r := node.Replica(lane)
			stream := c.open(node, r, lane)
			if event := c.take(stream, r); event.Snapshot == nil || r.Number != 1 {
				t.Fatalf("first came %+v", event)
			}
			put("b", []byte("2"))
			if event := c.take(stream, r); !event.Delta || event.From != 1 || r.Number != 2 {
				t.Fatalf("then came %+v", event)
			}
			stream.Close()
			put("c", []byte("3"))
			put("a", nil)
			stream = c.open(node, r, lane)
			if event := c.take(stream, r); !event.Delta || event.From != 2 || r.Number != 4 || len(r.Entries) != 2 {
				t.Fatalf("it resumed by %+v", event)
			}
		})
	}
}

func TestBigSnapshotComesInChunks(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	for i := range 12 {
		c.store.PutEntry(fmt.Sprint(i), edgetest.Filler(200_000, uint64(i)))
	}
	node := c.enrol("n")
	r := node.Replica(directory)
	if event := c.take(c.open(node, r, directory), r); event.Chunks < 9 || len(r.Entries) != 12 {
		t.Fatalf("%d chunks, %d entries", event.Chunks, len(r.Entries))
	}
}

func TestSlowNodeGetsEverythingItMissedAsOne(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	slow, quick := c.enrol("slow"), c.enrol("quick")
	rs, rq := slow.Replica(directory), quick.Replica(directory)
	ss, sq := c.open(slow, rs, directory), c.open(quick, rq, directory)
	c.take(ss, rs)
	c.take(sq, rq)
	c.store.PutEntry("a", []byte("1"))
	held, err := ss.NextState() // and doesn't answer
	if err != nil {
		t.Fatal(err)
	}
	c.take(sq, rq)
	for i := range 20 {
		c.store.PutEntry("b", fmt.Append(nil, i))
		for rq.Number < uint64(i+2) { // the other goes on meanwhile
			c.take(sq, rq)
		}
	}
	if err := ss.Apply(rs, held); err != nil {
		t.Fatal(err)
	}
	if err := ss.Ack(rs); err != nil {
		t.Fatal(err)
	}
	if event := c.take(ss, rs); event.From != 1 || len(event.Entries) != 1 || rs.Number != 21 {
		t.Errorf("the slow node got %+v and is at %d", event, rs.Number)
	}
}

func TestCurrentNodeHearsABeatAtOnce(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("n")
	r := node.Replica(directory)
	stream := c.open(node, r, directory)
	c.take(stream, r)
	stream.Close()
	event, err := c.open(node, r, directory).Next()
	if err != nil || !event.Beat {
		t.Fatalf("%+v: %v", event, err)
	}
	if head, err := r.Verify(event.Head); err != nil || head.GetNumber() != r.Number || !bytes.Equal(head.GetDigest(), r.Digest()) {
		t.Errorf("%v: %v", head, err)
	}
}

func TestBeatsGoOnWhenNothingChanges(t *testing.T) {
	c := newControl(t, edgeapi.Times{Beat: 10 * time.Millisecond})
	node := c.enrol("n")
	r := node.Replica(directory)
	stream := c.open(node, r, directory)
	c.take(stream, r)
	for range 5 {
		if event, err := stream.Next(); err != nil || !event.Beat {
			t.Fatalf("%+v: %v", event, err)
		}
	}
}

func TestNackIsToldWithItsReasonsAndANewerRevisionHeals(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("n")
	r, d := node.Replica(configuration), node.Replica(directory)
	stream := c.open(node, r, configuration)
	c.take(stream, r)
	other := c.open(node, d, directory)
	c.take(other, d)
	bad := c.store.PutObject("rt_1", []byte("bad"))
	if _, err := stream.NextState(); err != nil {
		t.Fatal(err)
	}
	reason := &edgev1.ObjectError{Collection: "routes", Id: "rt_1", Pointer: "/paths/0", Code: "not_compiled", Message: "no\x00 such thing"}
	if err := stream.Nack(&edgev1.Nack{Number: bad, Errors: []*edgev1.ObjectError{reason}}); err != nil {
		t.Fatal(err)
	}
	if applied := c.settle(1, bad, 0); applied != 0 {
		t.Errorf("%d nodes applied it", applied)
	}
	answers, err := c.nodes.Status(t.Context(), c.environment, bad)
	if err != nil {
		t.Fatal(err)
	}
	if answers.GetNacked() != 1 || len(answers.GetNodes()) != 1 || len(answers.GetNodes()[0].GetErrors()) != 1 {
		t.Fatalf("status: %v", answers)
	}
	told := answers.GetNodes()[0].GetErrors()[0]
	if told.GetId() != "rt_1" || told.GetPointer() != "/paths/0" || told.GetCode() != "not_compiled" || told.GetMessage() != "no such thing" {
		t.Errorf("the reason is told as %v", told)
	}
	good := c.store.PutObject("rt_1", []byte("good"))
	if event := c.take(stream, r); event.From != 0 || r.Number != good {
		t.Errorf("%+v", event)
	}
	if applied := c.settle(1, good, 0); applied != 1 {
		t.Errorf("%d nodes applied it", applied)
	}
	if answers, err = c.nodes.Status(t.Context(), c.environment, good); err != nil || answers.GetAcked() != 1 || answers.GetNacked() != 0 {
		t.Errorf("status: %v, %v", answers, err)
	}
}

func TestHelloAheadOfTheDatabaseIsRefusedOnTheWire(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.store.PutEntry("a", []byte("1"))
	node := c.enrol("n")
	r := node.Replica(directory)
	hello := r.Hello()
	hello.Epoch, hello.Number = 1, 99
	stream, err := node.Open(t.Context(), directory, hello)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	_, err = stream.Next()
	if codeOf(err) != codes.FailedPrecondition || len(status.Convert(err).Details()) != 1 {
		t.Errorf("%v, details %v", err, status.Convert(err).Details())
	}
	if c.stats.Ahead.Load() != 1 {
		t.Errorf("%d counted", c.stats.Ahead.Load())
	}
}

func TestNodeThatSaysNothingOrNonsenseIsLetGo(t *testing.T) {
	c := newControl(t, edgeapi.Times{Hello: 20 * time.Millisecond, Answer: 20 * time.Millisecond})
	node := c.enrol("n")
	silent, err := node.OpenSilent(t.Context(), directory)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := silent.Next(); codeOf(err) != codes.InvalidArgument {
		t.Errorf("without a hello: %v", err)
	}
	r := node.Replica(directory)
	mute := c.open(node, r, directory)
	if _, err := mute.NextState(); err != nil {
		t.Fatal(err)
	}
	if _, err := mute.Next(); codeOf(err) != codes.DeadlineExceeded {
		t.Errorf("without an answer: %v", err)
	}
	liar := c.open(node, r, directory)
	if _, err := liar.NextState(); err != nil {
		t.Fatal(err)
	}
	r.Number = 12
	if err := liar.Ack(r); err != nil {
		t.Fatal(err)
	}
	if _, err := liar.Next(); codeOf(err) != codes.InvalidArgument && codeOf(err) != codes.DeadlineExceeded {
		t.Errorf("with an ack of something else: %v", err)
	}
}

func TestNodeThatStopsReadingIsLetGoAndHoldsUpNobody(t *testing.T) {
	c := newControl(t, edgeapi.Times{Send: 50 * time.Millisecond})
	for i := range 20 { // more than a connection buffers
		c.store.PutEntry(fmt.Sprint(i), edgetest.Filler(200_000, uint64(i)))
	}
	stuck, well := c.enrol("stuck"), c.enrol("well")
	stream := c.open(stuck, stuck.Replica(directory), directory)
	awaitThat(t, func() bool { return c.stats.SnapshotsSent.Load() > 0 }, "it was never sent anything")
	r := well.Replica(directory)
	c.take(c.open(well, r, directory), r)
	// What it reads at last is what was on the way, and then the end.
	awaitThat(t, func() bool { return c.stats.Sessions.Load() == 1 }, "it was never let go")
	if _, err := stream.NextState(); codeOf(err) != codes.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}

// awaitThat waits until something is so.
func awaitThat(t *testing.T, is func() bool, never string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatal(never)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestDisabledNodesStreamsEndAndStayAway(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("n")
	r := node.Replica(directory)
	stream := c.open(node, r, directory)
	c.take(stream, r)
	if _, err := c.nodes.SetEnabled(t.Context(), c.environment, node.Identity.GetNode(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.NextState(); codeOf(err) != codes.PermissionDenied {
		t.Errorf("the open stream: %v", err)
	}
	if _, err := c.open(node, r, directory).NextState(); codeOf(err) != codes.PermissionDenied {
		t.Errorf("a new stream: %v", err)
	}
	if _, err := c.nodes.SetEnabled(t.Context(), c.environment, node.Identity.GetNode(), true); err != nil {
		t.Fatal(err)
	}
	if event, err := c.open(node, r, directory).Next(); err != nil || !event.Beat {
		t.Errorf("enabled again: %v", err)
	}
}

func TestAppliedCountsLiveNodesThatHoldBothLanes(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	var streams []*edgetest.Stream
	var replicas []*edgetest.Replica
	for i := range 2 {
		node := c.enrol(fmt.Sprint(i))
		for _, lane := range []edgev1.Lane{configuration, directory} {
			r := node.Replica(lane)
			stream := c.open(node, r, lane)
			c.take(stream, r)
			streams, replicas = append(streams, stream), append(replicas, r)
		}
	}
	c.enrol("away") // enrolled, but not connected
	if applied := c.settle(2, 0, 0); applied != 2 {
		t.Fatalf("%d nodes hold the beginning", applied)
	}
	revision, sequence := c.store.PutObject("a", []byte("1")), c.store.PutEntry("a", []byte("1"))
	for i := range 3 { // all but the second node's directory
		c.take(streams[i], replicas[i])
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for short.Err() == nil {
		applied, live, err := c.nodes.Wait(short, c.environment, revision, sequence)
		if err != nil || live != 2 || applied > 1 {
			t.Fatalf("%d of %d: %v", applied, live, err)
		}
	}
	c.take(streams[3], replicas[3])
	if applied := c.settle(2, revision, sequence); applied != 2 {
		t.Errorf("%d nodes hold it", applied)
	}
	streams[0].Close()
	if applied := c.settle(1, revision, sequence); applied != 1 {
		t.Errorf("after one left, %d hold it", applied)
	}
}

func TestServerThatStopsEndsItsStreamsAndSaysSo(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("n")
	r := node.Replica(directory)
	stream := c.open(node, r, directory)
	c.take(stream, r)
	c.stop()
	if _, err := stream.NextState(); codeOf(err) != codes.Unavailable {
		t.Error(err)
	}
	kept, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode())
	if err != nil || kept.GetConnected() || kept.GetSeenAt() == nil {
		t.Errorf("it is kept as %v: %v", kept, err)
	}
}

func TestNodesServeOnWhileTheDatabaseIsAway(t *testing.T) {
	c := newControl(t, edgeapi.Times{Beat: 10 * time.Millisecond})
	node := c.enrol("n")
	r := node.Replica(directory)
	stream := c.open(node, r, directory)
	c.take(stream, r)
	c.store.Fail(errors.New("gone"))
	for range 3 {
		if event, err := stream.Next(); err != nil || !event.Beat {
			t.Fatalf("%+v: %v", event, err)
		}
	}
	c.store.Fail(nil)
	c.store.PutEntry("a", []byte("1"))
	c.take(stream, r)
}
