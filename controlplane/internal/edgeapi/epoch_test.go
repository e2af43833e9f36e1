package edgeapi_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// restored is a control plane whose lanes are the database's too, so that a dump of it can be restored.
type restored struct {
	*control
	publisher *publish.Publisher
	epochs    *epochs.Epochs
}

func newRestored(t *testing.T, times edgeapi.Times) *restored {
	t.Helper()
	c := newControl(t, times)
	c.stop()
	r := &restored{control: c}
	r.revive(times)
	return r
}

// revive starts the control plane again, as after a restore.
func (r *restored) revive(times edgeapi.Times) {
	r.t.Helper()
	r.stop()
	log := slog.New(slog.DiscardHandler)
	signer, err := fleet.LoadSigner(r.t.Context(), r.vault)
	if err != nil {
		r.t.Fatal(err)
	}
	r.publisher = publish.New(r.db, catalog.New(r.db, log), r.vault, log)
	r.epochs = epochs.New(r.db.Epochs(), r.publisher, signer, log, new(epochs.Stats))
	wakes := postgres.NewListener(r.db, log)
	r.serveLanes(r.db.Lanes(r.vault), fleet.Histories{Epochs: r.epochs}, wakes, times, wakes.Run)
}

func (r *restored) apply(verb publish.Verb, collection, key, body string) publish.Outcome {
	r.t.Helper()
	result, err := r.publisher.Apply(r.t.Context(), publish.Batch{
		Environment: r.environment, Author: access.System(),
		Operations: []publish.Operation{{Verb: verb, Collection: collection, Key: key, Body: []byte(body)}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return result.Outcomes[0]
}

// consumerWithKey makes both, and returns what tells whether a replica holds the key.
func (r *restored) consumerWithKey() {
	r.t.Helper()
	r.apply(publish.Create, "consumers", "", `{"name":"shop"}`)
	r.apply(publish.Create, "api-keys", "", `{"name":"web","consumer":"shop"}`)
}

// answer is take for a node that is asked for what it holds first. It returns how often it was.
func (r *restored) answer(stream *edgetest.Stream, held *edgetest.Replica) (recalls int) {
	r.t.Helper()
	for {
		event, err := stream.Next()
		if err != nil {
			r.t.Fatal(err)
		}
		switch {
		case event.Recall != nil:
			recalls++
			if err := stream.Show(held.Holdings(event.Recall)); err != nil {
				r.t.Fatal(err)
			}
		case !event.Beat:
			if err := stream.Apply(held, event); err != nil {
				r.t.Fatal(err)
			}
			if err := stream.Ack(held); err != nil {
				r.t.Fatal(err)
			}
			return recalls
		}
	}
}

// quiet makes sure that nothing but beats comes on a stream for as long as do takes.
func quiet(t *testing.T, stream *edgetest.Stream, do func()) (later <-chan *edgetest.Event) {
	t.Helper()
	events := make(chan *edgetest.Event, 1)
	go func() {
		event, err := stream.NextState()
		if err == nil {
			events <- event
		}
		close(events)
	}()
	do()
	select {
	case event := <-events:
		t.Fatalf("it was sent %+v", event)
	default:
	}
	return events
}

// into opens a stream on which a node comes into an epoch. The replica hears of the epoch a moment after it was opened, and ends the
// streams of the one before.
func (r *restored) into(epoch uint64, node *edgetest.Node, held *edgetest.Replica) *edgetest.Stream {
	r.t.Helper()
	for stream := r.open(node, held, directory); ; {
		if held.Epoch == epoch {
			return stream
		}
		event, err := stream.NextState()
		if codeOf(err) == codes.Unavailable {
			stream = r.open(node, held, directory)
			continue
		}
		if err == nil {
			err = errors.Join(stream.Apply(held, event), stream.Ack(held))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *restored) keyLives() bool {
	r.t.Helper()
	found, err := r.db.Row(r.t.Context(), r.environment, "api-keys", "web")
	_, is := found.Message.(*adminv1.ApiKey)
	return err == nil && is
}

func TestNodeIsAskedForWhatTheDatabaseLostBeforeAnybodyIsServed(t *testing.T) {
	r := newRestored(t, edgeapi.Times{Beat: 10 * time.Millisecond})
	r.consumerWithKey()
	node, fresh := r.enrol("old"), r.enrol("fresh")
	held := node.Replica(directory)
	stream := r.open(node, held, directory)
	r.take(stream, held)
	restore := postgrestest.Dump(t, r.db.Pool().Config().ConnString())
	r.apply(publish.Delete, "api-keys", "web", "")
	r.take(stream, held)
	lost := held.Number
	r.stop()
	restore()
	r.revive(edgeapi.Times{Beat: 10 * time.Millisecond})
	if !r.keyLives() {
		t.Fatal("the dump doesn't have the key")
	}

	if err := node.Reconnect(r.address); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Reconnect(r.address); err != nil {
		t.Fatal(err)
	}
	stream = r.open(node, held, directory)
	event, err := stream.NextState()
	if err != nil || event.Recall == nil {
		t.Fatalf("it isn't asked for what it holds: %+v, %v", event, err)
	}
	empty := fresh.Replica(directory)
	waiting := r.open(fresh, empty, directory)
	events := quiet(t, waiting, func() {
		if !r.keyLives() {
			t.Error("it is dead before anybody said so")
		}
	})
	if err := stream.Show(held.Holdings(event.Recall)); err != nil {
		t.Fatal(err)
	}
	if recalls := r.answer(stream, held); recalls == 0 {
		t.Error("nothing more was asked")
	}
	if r.keyLives() || held.Epoch != 2 || held.Number != lost {
		t.Errorf("the key lives: %v; the node is at %d in epoch %d", r.keyLives(), held.Number, held.Epoch)
	}
	got, ok := <-events
	if !ok {
		t.Fatal("the fresh node's stream ended")
	}
	if err := waiting.Apply(empty, got); err != nil || empty.Epoch != 2 || !bytes.Equal(empty.Digest(), held.Digest()) {
		t.Errorf("the fresh node is at %d in epoch %d: %v", empty.Number, empty.Epoch, err)
	}
}

func TestReplicaUnderWhichTheDatabaseGoesBackNoticesByItself(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.consumerWithKey()
	node := r.enrol("old")
	held := node.Replica(directory)
	stream := r.open(node, held, directory)
	r.take(stream, held)
	restore := postgrestest.Dump(t, r.db.Pool().Config().ConnString())
	r.apply(publish.Delete, "api-keys", "web", "")
	r.take(stream, held)
	restore()
	if event, err := stream.NextState(); codeOf(err) != codes.Unavailable { // a new epoch began
		t.Fatalf("%+v: %v", event, err)
	}
	if recalls := r.answer(r.open(node, held, directory), held); recalls == 0 || r.keyLives() || held.Epoch != 2 {
		t.Errorf("asked %d times, the key lives: %v, epoch %d", recalls, r.keyLives(), held.Epoch)
	}
}

func TestConfigurationAloneProvesItToo(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	node := r.enrol("old")
	c, d := node.Replica(configuration), node.Replica(directory)
	stream := r.open(node, c, configuration)
	r.take(stream, c)
	other := r.open(node, d, directory)
	r.take(other, d)
	restore := postgrestest.Dump(t, r.db.Pool().Config().ConnString())
	r.apply(publish.Create, "services", "", `{"name":"orders","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`)
	r.take(stream, c)
	r.stop()
	restore()
	r.revive(edgeapi.Times{})
	if err := node.Reconnect(r.address); err != nil {
		t.Fatal(err)
	}
	stream = r.open(node, c, configuration)
	if event := r.take(stream, c); event.Snapshot == nil || c.Epoch != 2 || c.Number != 0 {
		t.Errorf("it is at %d in epoch %d by %+v", c.Number, c.Epoch, event)
	}
	if recalls := r.answer(r.open(node, d, directory), d); recalls != 0 || d.Epoch != 2 {
		t.Errorf("asked %d times, epoch %d", recalls, d.Epoch)
	}
}

func TestHelloAheadWithoutOurSignatureOpensNoEpoch(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	node := r.enrol("liar")
	held := node.Replica(directory)
	r.take(r.open(node, held, directory), held)
	for name, bend := range map[string]func(h *edgev1.Hello){
		"another number": func(h *edgev1.Hello) { h.Number++ },
		"another epoch":  func(h *edgev1.Hello) { h.Epoch++ },
		"no proof":       func(h *edgev1.Hello) { h.Number, h.Head = h.Number+1, nil },
		"a broken proof": func(h *edgev1.Hello) { h.Number++; h.Head.Head = append([]byte{8, 1}, h.Head.GetHead()...) },
	} {
		hello := held.Hello()
		bend(hello)
		stream, err := node.Open(t.Context(), directory, hello)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.NextState(); codeOf(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
		stream.Close()
	}
	found, err := r.db.Epochs().Epochs(t.Context(), r.environment, 1<<40, 1)
	if err != nil || len(found) != 0 {
		t.Errorf("%v: %v", found, err)
	}
}

// A node that doesn't know the question can't answer it: whatever it says of itself, it isn't asked.
func TestNodeThatCanNotBeAskedProvesNothing(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.consumerWithKey()
	node := r.enrol("old")
	held := node.Replica(directory)
	stream := r.open(node, held, directory)
	r.take(stream, held)
	restore := postgrestest.Dump(t, r.db.Pool().Config().ConnString())
	r.apply(publish.Delete, "api-keys", "web", "")
	r.take(stream, held)
	r.stop()
	restore()
	r.revive(edgeapi.Times{})
	if err := node.Reconnect(r.address); err != nil {
		t.Fatal(err)
	}
	hello := held.Hello()
	hello.Capability = 1
	stream, err := node.Open(t.Context(), directory, hello)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if event, err := stream.NextState(); codeOf(err) != codes.FailedPrecondition {
		t.Errorf("%+v: %v", event, err)
	}
	if found, err := r.db.Epochs().Epochs(t.Context(), r.environment, 1<<40, 1); err != nil || len(found) != 0 {
		t.Errorf("%v: %v", found, err)
	}
}

// Its number is one that the database has, with another content: it must not pass for holding that.
func TestNodeOfAnotherHistoryThatProvesNothingIsSaidToHoldNothing(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.consumerWithKey()
	node := r.enrol("forked")
	held := node.Replica(directory)
	awaitKept := func(present bool, number uint64, never string) {
		t.Helper()
		awaitThat(t, func() bool {
			kept, err := r.db.Fleet().Node(t.Context(), r.environment, node.Identity.GetNode())
			return err == nil && kept.Directory.Connected && kept.Directory.Present == present && kept.Directory.Held.Number == number
		}, never)
	}
	r.take(r.open(node, held, directory), held)
	awaitKept(true, held.Number, "its first ack isn't kept")
	hello := held.Hello()
	hello.Head, hello.Digest = nil, bytes.Repeat([]byte{7}, len(hello.GetDigest()))
	stream, err := node.Open(t.Context(), directory, hello)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if event, err := stream.NextState(); err != nil || event.Snapshot == nil {
		t.Fatalf("it gets no snapshot: %+v, %v", event, err)
	}
	awaitKept(false, 0, "it passes for holding what it doesn't")
	if err := stream.Ack(held); err != nil { // the snapshot, as it is the same
		t.Fatal(err)
	}
	awaitKept(true, held.Number, "its ack of the snapshot isn't kept")
}

func TestNodeThatShowsWhatItDoesNotHoldIsNotServed(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.consumerWithKey()
	node := r.enrol("old")
	held := node.Replica(directory)
	stream := r.open(node, held, directory)
	r.take(stream, held)
	restore := postgrestest.Dump(t, r.db.Pool().Config().ConnString())
	r.apply(publish.Delete, "api-keys", "web", "")
	r.take(stream, held)
	r.stop()
	restore()
	r.revive(edgeapi.Times{})
	if err := node.Reconnect(r.address); err != nil {
		t.Fatal(err)
	}
	stream = r.open(node, held, directory)
	event, err := stream.NextState()
	if err != nil || event.Recall == nil {
		t.Fatalf("%+v, %v", event, err)
	}
	lie := held.Holdings(event.Recall)
	lie.Sums[7] ^= 1
	if err := stream.Show(lie); err != nil {
		t.Fatal(err)
	}
	if event, err := stream.NextState(); codeOf(err) != codes.InvalidArgument {
		t.Errorf("%+v: %v", event, err)
	}
}

func TestNewNodeIsServedOnceNobodyHasShownAnythingForTooLong(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	if _, err := r.epochs.OpenByHand(t.Context(), r.environment, "a test", access.Actor{ID: "system"}); err != nil {
		t.Fatal(err)
	}
	fresh := r.enrol("fresh")
	held := fresh.Replica(directory)
	events := quiet(t, r.open(fresh, held, directory), func() {
		if _, err := r.db.Pool().Exec(t.Context(), "UPDATE epochs SET recall_until = now()"); err != nil {
			t.Fatal(err)
		}
	})
	event, ok := <-events
	if !ok || event.Snapshot == nil {
		t.Fatalf("it got %+v", event)
	}
}

func TestNodeThatKnowsNoMoreThanTheDatabaseHearsOfRevocationsDuringTheWait(t *testing.T) {
	r := newRestored(t, edgeapi.Times{})
	r.consumerWithKey()
	node := r.enrol("old")
	held := node.Replica(directory)
	r.take(r.open(node, held, directory), held)
	// The proof of a node that doesn't come: the wait goes on.
	if opened, err := r.epochs.Open(t.Context(), epochs.Evidence{Environment: r.environment, Lane: directory, Epoch: 1, Number: 99, Node: "node_gone"}); err != nil || !opened {
		t.Fatal(opened, err)
	}
	stream := r.into(2, node, held)
	fresh := r.enrol("fresh")
	empty := fresh.Replica(directory)
	waiting := r.open(fresh, empty, directory)
	events := quiet(t, waiting, func() {
		r.apply(publish.Delete, "api-keys", "web", "")
		r.take(stream, held)
	})
	waiting.Close()
	<-events
	if r.keyLives() || held.Number != 4 {
		t.Errorf("it is at %d, the key lives: %v", held.Number, r.keyLives())
	}
}
