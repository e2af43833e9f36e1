package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/subject"
)

// dying is a receiver that commits, and then dies before it can ack, the first times.
type dying struct {
	real *usage.Receiver
	mu   sync.Mutex
	left int // groups to die after
	died chan struct{}
	took chan struct{} // one for each group, while there is room
}

func (d *dying) Receive(ctx context.Context, deliveries []usage.Delivery) []usage.Verdict {
	verdicts := d.real.Receive(ctx, deliveries)
	defer func() {
		select {
		case d.took <- struct{}{}:
		default:
		}
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left > 0 {
		d.left--
		d.died <- struct{}{}
		return make([]usage.Verdict, len(deliveries)) // nothing is acked
	}
	return verdicts
}

func TestUsageCountsOnceAfterTheConsumerAndTheBusDied(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	stats := new(usage.Stats)
	receiver := usage.NewReceiver(db.Usage(), slog.New(slog.DiscardHandler), stats)
	i := install(t)
	server := i.start()
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	d := &dying{real: receiver, left: 1, died: make(chan struct{}, 1), took: make(chan struct{}, 1)}
	stop := i.consume(server, d)

	const batches, each = 60, 7
	send := func(n uint64) {
		t.Helper()
		data, err := proto.Marshal(&usagev1.Batch{
			Node: identity.Node, Environment: identity.Environment, Boot: "b", Number: n,
			Counters: []*usagev1.Counter{{Minute: time.Now().Unix() / 60, StatusClass: 2, Verdict: "allowed", Requests: each}},
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, conn, subject.Usage(identity.Environment, identity.Node), string(data))
	}
	for n := range uint64(batches / 2) {
		send(n + 1)
	}
	<-d.died
	stop()
	conn.Close()
	server.Stop()

	server = i.start()
	conn, _ = i.connect(server, identity)
	for n := range uint64(batches) { // the node doesn't know which of the first were stored: it sends all again
		send(n + 1)
	}
	i.consume(server, d)
	for stats.Counted.Load() < batches || stats.Duplicates.Load() == 0 {
		<-d.took
	}
	rows, err := db.Usage().Usage(t.Context(), identity.Environment, usage.Question{ToMinute: 1 << 40, BucketMinutes: 1, Limit: 2})
	if err != nil || len(rows) != 1 || rows[0].Requests != batches*each {
		t.Errorf("%s, %v", fmt.Sprint(rows), err)
	}
}

func TestReplicasThatReceiveFromOneStreamCountEachBatchOnce(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	stats := new(usage.Stats)
	receiver := usage.NewReceiver(db.Usage(), slog.New(slog.DiscardHandler), stats)
	i := install(t)
	server := i.start()
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	// Each loses the first answers that it gives, so that what it has counted comes again, to either.
	took := make(chan struct{}, 1)
	one := &dying{real: receiver, left: 1, died: make(chan struct{}, 1), took: took}
	other := &dying{real: receiver, left: 1, died: make(chan struct{}, 1), took: took}
	i.consume(server, one)
	i.consume(server, other)
	const batches, each = 60, 7
	for n := range uint64(batches) {
		data, err := proto.Marshal(&usagev1.Batch{
			Node: identity.Node, Environment: identity.Environment, Boot: "b", Number: n + 1,
			Counters: []*usagev1.Counter{{Minute: time.Now().Unix() / 60, StatusClass: 2, Verdict: "allowed", Requests: each}},
		})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, conn, subject.Usage(identity.Environment, identity.Node), string(data))
	}
	for stats.Counted.Load() < batches || stats.Duplicates.Load() == 0 {
		<-took
	}
	rows, err := db.Usage().Usage(t.Context(), identity.Environment, usage.Question{ToMinute: 1 << 40, BucketMinutes: 1, Limit: 2})
	if err != nil || len(rows) != 1 || rows[0].Requests != batches*each {
		t.Errorf("%s, %v", fmt.Sprint(rows), err)
	}
}
