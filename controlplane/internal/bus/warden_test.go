package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/subject"
)

// revocations is a bus.Revocations in memory.
type revocations struct {
	mu   sync.Mutex
	list []fleet.BusRevocation
}

func (r *revocations) BusRevocations(context.Context, time.Time, int) ([]fleet.BusRevocation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]fleet.BusRevocation(nil), r.list...), nil
}

func (r *revocations) revoke(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, fleet.BusRevocation{Key: key, Until: time.Now()})
}

// guard runs a warden until the test ends.
func guard(t *testing.T, store bus.Revocations, client *bus.Client) *bus.Warden {
	t.Helper()
	warden, err := bus.NewWarden(store, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- warden.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return warden
}

// awaitCut waits until the server has ended a connection, and doesn't take it back.
func awaitCut(t *testing.T, cut <-chan struct{}) {
	t.Helper()
	select {
	case <-cut:
	case <-time.After(30 * time.Second):
		t.Fatal("the connection lives on")
	}
}

func TestRevokedNodeIsCutOffAtOnceAndStaysSoWhenTheBusRestarts(t *testing.T) {
	i := install(t)
	server := i.start()
	store := new(revocations)
	// Two replicas, which tell the bus the same.
	wardens := []*bus.Warden{guard(t, store, server.Client), guard(t, store, server.Client)}
	bad, good := i.newUser(newIdentity()), i.newUser(newIdentity())
	cut := make(chan struct{})
	i.mustLogin(server.URLs()[0], bad, nats.ClosedHandler(func(*nats.Conn) { close(cut) }), nats.NoReconnect())
	other := i.mustLogin(server.URLs()[0], good)

	store.revoke(bad.public)
	for _, warden := range wardens {
		warden.Wake()
	}
	awaitCut(t, cut)
	i.refused(server.URLs()[0], bad)
	if err := other.Flush(); err != nil {
		t.Errorf("the other node: %v", err)
	}
	other.Close()
	server.Stop()

	again := i.startRevoking(store.list)
	i.refused(again.URLs()[0], bad)
	i.mustLogin(again.URLs()[0], good).Close()

	// What was made after the revocation is taken: the node was enabled again.
	for now := time.Now().Unix(); time.Now().Unix() == now; {
		if err := bad.renew(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := bad.renew(i); err != nil {
		t.Fatal(err)
	}
	i.mustLogin(again.URLs()[0], bad).Close()
}

func TestBusThatLostItsAccountIsToldAgain(t *testing.T) {
	i := install(t)
	store := new(revocations)
	bad := i.newUser(newIdentity())
	store.revoke(bad.public)
	server := i.start() // knows of no revocation
	conn := i.mustLogin(server.URLs()[0], bad)
	cut := make(chan struct{})
	conn.SetClosedHandler(func(*nats.Conn) { close(cut) })
	guard(t, store, server.Client)
	awaitCut(t, cut)
}

func TestFloodOfOneNodeIsBoundedAndTheOthersUsageGoesOn(t *testing.T) {
	i := install(t)
	server := i.start()
	stats := new(bus.Stats)
	blocked := make(chan struct{})
	r := &receiver{got: make(chan usage.Delivery, 4096), verdict: func(usage.Delivery) usage.Verdict {
		<-blocked
		return usage.Committed
	}}
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	consumer, err := bus.NewConsumer(conn, r, slog.New(slog.DiscardHandler), stats)
	if err != nil {
		t.Fatal(err)
	}
	if err := consumer.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	flooder, quiet := newIdentity(), newIdentity()
	flooding, _ := i.connect(server, flooder)
	other, _ := i.connect(server, quiet)
	js, err := jetstream.New(flooding)
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for {
		_, err := js.Publish(t.Context(), subject.Usage(flooder.Environment, flooder.Node), []byte("flood"), jetstream.WithRetryAttempts(0))
		var refused *jetstream.APIError
		if errors.As(err, &refused) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if stored++; stored > 4096 {
			t.Fatal("nothing bounds the flood")
		}
	}
	publish(t, other, subject.Usage(quiet.Environment, quiet.Node), "quiet")

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	close(blocked)
	for {
		if d := <-r.got; string(d.Data) == "quiet" {
			break
		}
	}
	if stored > 300 {
		t.Errorf("one node stored %d messages", stored)
	}
}

// A bus that ran before nodes had shares holds a stream without them, and messages in it.
func TestStreamOfAnEarlierBuildGetsSharesAndLosesNothing(t *testing.T) {
	i := install(t)
	server := i.start()
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: subject.UsageStream, Subjects: []string{subject.UsageAll()}, Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
		Discard: jetstream.DiscardNew, MaxBytes: 2 << 30, MaxMsgSize: 1 << 20, DenyPurge: true, DenyDelete: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	identity := newIdentity()
	node, _ := i.connect(server, identity)
	own := subject.Usage(identity.Environment, identity.Node)
	const before = 300 // more than its share
	for range before {
		publish(t, node, own, "before")
	}
	r := &receiver{got: make(chan usage.Delivery, 2*before), verdict: committed}
	i.consume(server, r)
	for range before {
		<-r.got
	}
	bound := func() int64 {
		t.Helper()
		stream, err := js.Stream(t.Context(), subject.UsageStream)
		if err != nil {
			t.Fatal(err)
		}
		return stream.CachedInfo().Config.MaxMsgsPerSubject
	}
	if got := bound(); got < before || got > 2*before {
		t.Errorf("with %d messages of a node in it, its share is %d", before, got)
	}
	for left := uint64(1); left > 0; { // until the last ack has arrived
		stream, err := js.Stream(t.Context(), subject.UsageStream)
		if err != nil {
			t.Fatal(err)
		}
		left = stream.CachedInfo().State.Msgs
	}
	i.consume(server, r)
	if got := bound(); got != 256 {
		t.Errorf("once it is empty, a node's share is %d", got)
	}
}

func TestNodeThatCrowdsTheStreamIsSeen(t *testing.T) {
	stats, told := new(bus.Stats), new(told)
	floods := bus.NewFloods(slog.New(told), stats)
	bad, good := newIdentity(), newIdentity()
	on := func(i fleet.Identity) string { return subject.Usage(i.Environment, i.Node) }
	floods.Judge(map[string]uint64{on(bad): 256, on(good): 3})
	floods.Judge(map[string]uint64{on(bad): 256, on(good): 3})
	if stats.Crowding.Load() != 1 || stats.Full.Load() != 2 {
		t.Errorf("crowding %d, full %d", stats.Crowding.Load(), stats.Full.Load())
	}
	if len(told.nodes) != 1 || told.nodes[0] != bad.Node {
		t.Errorf("told of %v, want %s once", told.nodes, bad.Node)
	}
	floods.Judge(map[string]uint64{on(good): 3})
	if stats.Crowding.Load() != 0 {
		t.Errorf("crowding %d after it ended", stats.Crowding.Load())
	}
}

// told is a log that keeps which nodes it was told of.
type told struct{ nodes []string }

func (l *told) Enabled(context.Context, slog.Level) bool { return true }
func (l *told) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *told) WithGroup(string) slog.Handler            { return l }
func (l *told) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "node" {
			l.nodes = append(l.nodes, a.Value.String())
		}
		return true
	})
	return nil
}
