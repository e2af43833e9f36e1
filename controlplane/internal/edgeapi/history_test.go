package edgeapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/historytest"
	"github.com/sallyport/sallyport/proto/problem"
)

// deed is one step of a history of the control plane and its nodes. It means something whatever came before it, or does nothing.
type deed struct {
	kind kind
	who  int // a node's lane, or a replica of the control plane
	pick uint64
}

type kind int

const (
	doPut kind = iota
	doDelete
	doRollBack
	doMakeKey
	doRevoke
	doSuspend
	doRestart
	doOpen
	doDrop
	doTake
	doTakeAndDie
	doRefuse
	doDemand
	doCatchUp
)

var kinds = []struct {
	often int
	words string
}{
	doPut:        {6, "an object is written"},
	doDelete:     {2, "an object is deleted"},
	doRollBack:   {1, "the configuration is rolled back"},
	doMakeKey:    {4, "a key is made"},
	doRevoke:     {3, "a key is revoked"},
	doSuspend:    {1, "a consumer is suspended, or isn't any more"},
	doRestart:    {1, "a replica of the control plane is restarted"},
	doOpen:       {4, "follower %d says hello"},
	doDrop:       {2, "follower %d hangs up"},
	doTake:       {6, "follower %d takes the next state"},
	doTakeAndDie: {2, "follower %d loses the next state before its ack"},
	doRefuse:     {2, "follower %d refuses the next state"},
	doDemand:     {1, "follower %d demands a snapshot"},
	doCatchUp:    {3, "follower %d catches up"},
}

// String tells a deed.
func (d deed) String() string {
	words := kinds[d.kind].words
	if d.kind >= doOpen {
		words = fmt.Sprintf(words, d.who)
	}
	return fmt.Sprintf("%s (%d)", words, d.pick)
}

const (
	followers = 4 // two nodes, two lanes
	steps     = 40
)

func someDeeds(random *rand.Rand) []deed {
	var urn []kind
	for k := range kinds {
		for range kinds[k].often {
			urn = append(urn, kind(k))
		}
	}
	deeds := make([]deed, steps)
	for i := range deeds {
		deeds[i] = deed{kind: urn[random.IntN(len(urn))], who: random.IntN(followers), pick: random.Uint64N(1 << 20)}
	}
	return deeds
}

// The database is a real one, and what is written goes in as it does from the API. A database that goes back isn't among the steps: what
// nodes do then is shown where they are.
func TestNoHistoryMakesTheControlPlaneSendWhatTheDatabaseNeverHeld(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	c.stop()
	c.real = true
	c.serve(c.vault, edgeapi.Times{})
	replicas := []*control{c, c.another()}
	publisher := publish.New(c.db, catalog.New(c.db, slog.New(slog.DiscardHandler)), c.vault, slog.New(slog.DiscardHandler))
	played := 0
	historytest.Check(t, os.Getenv, historytest.Property[deed]{Histories: 16, Long: 1000, Steps: someDeeds, Holds: func(t *testing.T, history []deed) error {
		t.Helper()
		played++
		made, err := environments.New(c.db, c.vault).Create(t.Context(), &adminv1.Environment{Name: fmt.Sprint("h", played)}, access.Actor{Name: "test"})
		if err != nil {
			return err
		}
		w := &world{t: t, replicas: replicas, publisher: publisher, environment: made.GetId(), once: map[edgev1.Lane]map[uint64]content{configuration: {}, directory: {}}}
		return w.play(history)
	}})
}

// content is all of a lane.
type content map[digest.Key][]byte

// world is one environment, two replicas of the control plane, and those who follow.
type world struct {
	t           *testing.T
	replicas    []*control
	publisher   *publish.Publisher
	environment string
	once        map[edgev1.Lane]map[uint64]content // what the database held, by number
	head        map[edgev1.Lane]fleet.LaneHead
	keys        int
	followers   []*follower
}

// follower is one lane of one node.
type follower struct {
	w       *world
	name    string
	lane    edgev1.Lane
	node    *edgetest.Node
	at      int // replica
	address string
	held    *edgetest.Replica
	stream  *edgetest.Stream
	refused uint64 // number that it refused on this stream
	whole   bool   // only a snapshot will do
	least   uint64 // head of the database when it said hello
}

func (w *world) play(history []deed) error {
	w.head = map[edgev1.Lane]fleet.LaneHead{}
	for n := range followers / 2 {
		here := *w.replicas[0]
		here.environment = w.environment
		node := here.enrol(fmt.Sprint("n", n))
		for _, lane := range []edgev1.Lane{configuration, directory} {
			f := &follower{w: w, name: fmt.Sprintf("follower %d", len(w.followers)), lane: lane, node: node, held: node.Replica(lane), address: here.address}
			w.followers = append(w.followers, f)
		}
	}
	defer func() {
		for _, f := range w.followers {
			f.drop()
		}
	}()
	if err := w.look(); err != nil {
		return err
	}
	for n, f := range w.followers {
		if err := f.open(n / 2); err != nil {
			return err
		}
	}
	for _, d := range history {
		if err := w.do(d); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	for _, f := range w.followers {
		if err := f.catchUp(0); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}

// look takes down what the database holds now.
func (w *world) look() error {
	source := w.replicas[0].db.Lanes(w.replicas[0].vault)
	head, objects, err := source.ConfigurationObjects(w.t.Context(), w.environment)
	if err != nil {
		return err
	}
	all := content{}
	for _, o := range objects {
		all[digest.KeyOf(o.GetCollection(), o.GetId())] = o.GetObject()
	}
	w.once[configuration][head.Number], w.head[configuration] = all, head
	entries := content{}
	head, err = source.DirectoryEntries(w.t.Context(), w.environment, func(e *edgev1.EntryChange) error {
		entries[digest.Key(e.GetKey())] = bytes.Clone(e.GetEntry())
		return nil
	})
	w.once[directory][head.Number], w.head[directory] = entries, head
	return err
}

func (w *world) do(d deed) error {
	f := w.followers[d.who]
	switch d.kind {
	case doPut:
		body := fmt.Appendf(nil, `{"name":"s%d","upstream":{"targets":[{"address":"127.0.0.1:%d"}]}}`, d.pick%7, 1+d.pick%60000)
		return w.write(publish.Operation{Verb: publish.Put, Collection: "services", Key: fmt.Sprint("s", d.pick%7), Body: body})
	case doDelete:
		return w.write(publish.Operation{Verb: publish.Delete, Collection: "services", Key: fmt.Sprint("s", d.pick%7)})
	case doRollBack:
		_, err := w.publisher.Rollback(w.t.Context(), publish.Batch{
			Environment: w.environment, Author: access.System(), Force: true, RollbackTo: d.pick % (w.head[configuration].Number + 1),
		})
		return w.written(err)
	case doMakeKey:
		w.keys++
		consumer := fmt.Sprint("c", d.pick%3)
		return w.write(
			publish.Operation{Verb: publish.Put, Collection: "consumers", Key: consumer, Body: fmt.Appendf(nil, `{"name":%q}`, consumer)},
			publish.Operation{Verb: publish.Create, Collection: "api-keys", Body: fmt.Appendf(nil, `{"name":"k%d","consumer":%q}`, w.keys, consumer)})
	case doRevoke:
		return w.write(publish.Operation{Verb: publish.Delete, Collection: "api-keys", Key: fmt.Sprint("k", 1+d.pick%uint64(w.keys+1))})
	case doSuspend:
		return w.write(publish.Operation{Verb: publish.Patch, Collection: "consumers", Key: fmt.Sprint("c", d.pick%3), Body: fmt.Appendf(nil, `{"suspended":%v}`, d.pick%2 == 0)})
	case doRestart:
		w.restart(int(d.pick % 2))
		return nil
	case doOpen:
		return f.open(int(d.pick % 2))
	case doDrop:
		f.drop()
		return nil
	case doTake:
		return f.take(f.accept)
	case doTakeAndDie:
		return f.take(f.lose)
	case doRefuse:
		return f.take(f.refuse)
	case doDemand:
		return f.take(f.demand)
	default:
		return f.catchUp(int(d.pick % 2))
	}
}

// write writes, or does nothing when what it is about isn't there.
func (w *world) write(operations ...publish.Operation) error {
	_, err := w.publisher.Apply(w.t.Context(), publish.Batch{
		Environment: w.environment, Author: access.System(), Force: true, Operations: operations,
	})
	return w.written(err)
}

func (w *world) written(err error) error {
	if err != nil && problem.CodeOf(err) == problem.Internal {
		return err
	}
	return w.look()
}

// restart stops a replica of the control plane and starts another in its place. Its streams end.
func (w *world) restart(n int) {
	w.replicas[n].stop()
	for _, f := range w.followers {
		if f.at == n {
			f.drop()
		}
	}
	w.replicas[n].serve(w.replicas[n].vault, edgeapi.Times{})
}

func (f *follower) drop() {
	if f.stream != nil {
		f.stream.Close()
		f.stream = nil
	}
}

// open says hello to a replica, by what the follower holds. The node's other lane goes along: they share a connection.
func (f *follower) open(at int) error {
	f.drop()
	if address := f.w.replicas[at].address; f.address != address || f.at != at {
		for _, other := range f.w.followers {
			if other.node == f.node {
				other.drop()
				other.address, other.at = address, at
			}
		}
		if err := f.node.Reconnect(address); err != nil {
			return err
		}
	}
	var err error
	f.refused, f.whole, f.least = 0, f.held.Epoch == 0, f.w.head[f.lane].Number
	f.stream, err = f.node.Open(f.w.t.Context(), f.lane, f.held.Hello())
	return err
}

// due tells whether something must come.
func (f *follower) due() bool {
	head := f.w.head[f.lane].Number
	return f.stream != nil && (f.whole || f.held.Epoch == 0 || head > f.held.Number) && (f.refused == 0 || head > f.refused)
}

const patience = 30 * time.Second

// take waits for the next state, if one must come, holds it against the database, and answers it.
func (f *follower) take(answer func(*edgetest.Event, *edgev1.Head) error) error {
	if !f.due() {
		return nil
	}
	stream := f.stream
	watch := time.AfterFunc(patience, stream.Close)
	defer watch.Stop()
	event, err := stream.NextState()
	if err != nil {
		return fmt.Errorf("%s at %d of %s gets nothing: %w", f.name, f.held.Number, f.lane, err)
	}
	head, err := f.held.Verify(event.Head)
	switch {
	case err != nil:
		return err
	case f.whole && event.Snapshot == nil:
		return fmt.Errorf("%s needs a snapshot and gets a delta", f.name)
	case f.held.Epoch != 0 && head.GetNumber() < f.held.Number:
		return fmt.Errorf("%s is at %d and is sent %d", f.name, f.held.Number, head.GetNumber())
	case event.Snapshot != nil && head.GetNumber() < f.least:
		return fmt.Errorf("%s is sent a snapshot of %d, older than its hello at %d", f.name, head.GetNumber(), f.least)
	case f.refused != 0 && head.GetNumber() <= f.refused:
		return fmt.Errorf("%s has refused %d and is sent %d", f.name, f.refused, head.GetNumber())
	}
	return answer(event, head)
}

// apply applies a state. It is what the database held at that number, byte for byte.
func (f *follower) apply(event *edgetest.Event) error {
	if err := f.stream.Apply(f.held, event); err != nil { // a delta starts from where the follower is, or isn't taken
		return fmt.Errorf("%s at %d: %w", f.name, f.held.Number, err)
	}
	f.whole = false
	once, known := f.w.once[f.lane][f.held.Number]
	if !known {
		return fmt.Errorf("%s is at %d of %s, at which the database never stood", f.name, f.held.Number, f.lane)
	}
	if !maps.EqualFunc(once, f.held.Entries, bytes.Equal) {
		return fmt.Errorf("%s holds %d things at %d of %s, the database held %d others", f.name, len(f.held.Entries), f.held.Number, f.lane, len(once))
	}
	return nil
}

func (f *follower) accept(event *edgetest.Event, _ *edgev1.Head) error {
	if err := f.apply(event); err != nil {
		return err
	}
	f.refused = 0
	return f.stream.Ack(f.held)
}

// lose is a crash after the state came: the next hello says what was held before.
func (f *follower) lose(*edgetest.Event, *edgev1.Head) error {
	f.drop()
	return nil
}

func (f *follower) refuse(_ *edgetest.Event, head *edgev1.Head) error {
	f.refused = head.GetNumber()
	return f.stream.Nack(&edgev1.Nack{Number: head.GetNumber(), Errors: []*edgev1.ObjectError{{Code: "bad"}}})
}

func (f *follower) demand(_ *edgetest.Event, head *edgev1.Head) error {
	f.whole, f.refused = true, 0
	return f.stream.Nack(&edgev1.Nack{Number: head.GetNumber(), Resync: true, Errors: []*edgev1.ObjectError{{Code: "digest_mismatch"}}})
}

// catchUp takes what comes until the follower holds what the database does.
func (f *follower) catchUp(at int) error {
	if f.stream == nil || f.refused != 0 && !f.due() { // what it has refused isn't sent on this stream again
		if err := f.open(at); err != nil {
			return err
		}
	}
	for f.due() {
		if err := f.take(f.accept); err != nil {
			return err
		}
	}
	if head := f.w.head[f.lane]; f.held.Number != head.Number || !bytes.Equal(f.held.Digest(), head.Digest) {
		return fmt.Errorf("%s is at %d and has nothing to come, the database is at %d", f.name, f.held.Number, head.Number)
	}
	return nil
}
