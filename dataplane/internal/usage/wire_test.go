package usage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// message says counts in a batch's words, as protobuf's encoder takes them.
func message(origin Origin, number uint64, t *tally, events []*usagev1.Event, dropped uint64) *usagev1.Batch {
	m := &usagev1.Batch{
		Node: origin.Node, Environment: origin.Environment, Boot: origin.Boot, Number: number, Events: events, EventsDropped: dropped,
	}
	for _, e := range t.counters.all() {
		m.Counters = append(m.Counters, &usagev1.Counter{
			Minute: e.key.Minute, Route: idBytes(e.key.Route), Consumer: idBytes(e.key.Consumer),
			StatusClass: uint32(e.key.StatusClass), Verdict: e.key.Verdict,
			Requests: e.counts.Requests, RequestBytes: e.counts.RequestBytes, ResponseBytes: e.counts.ResponseBytes, DurationUs: e.counts.DurationUs,
		})
	}
	for _, e := range t.credentials.all() {
		m.Credentials = append(m.Credentials, &usagev1.CredentialCount{
			Credential: idBytes(e.key.Credential), Consumer: idBytes(e.key.Consumer), Hour: e.key.Hour,
			Requests: e.counts.Requests, LastUsedMs: e.counts.LastUsedMs,
		})
	}
	return m
}

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// randomRound has counts of every size, few or many of one key.
func randomRound(random *rand.Rand) *round {
	more := &round{dropped: uint64(random.IntN(3))}
	number := func() uint64 { return random.Uint64() >> random.IntN(65) }
	name := func() (of id.ID) {
		if random.IntN(5) > 0 {
			of[0] = byte(random.IntN(20))
			binary.BigEndian.PutUint64(of[8:], uint64(random.IntN(20)))
		}
		return of
	}
	for range random.IntN(300) {
		more.count(Key{
			Minute: int64(number()), Route: name(), Consumer: name(), StatusClass: uint8(1 + random.IntN(worstClass)), Verdict: strings.Repeat("ü", 1+random.IntN(maxVerdict/2)),
		}, Counts{Requests: 1 + number()>>1, RequestBytes: number(), ResponseBytes: number(), DurationUs: number()})
		more.use(CredentialKey{Credential: name(), Consumer: name(), Hour: int64(number())},
			CredentialCounts{Requests: 1 + number()>>1, LastUsedMs: int64(number())})
	}
	for n := range random.IntN(20) {
		q := request(n)
		q.Path = strings.Repeat("/", random.IntN(300))
		more.events = append(more.events, q.event())
	}
	return more
}

func bookOf(origin Origin) *book {
	return &book{origin: origin, log: slog.New(slog.DiscardHandler), began: time.UnixMilli(1)}
}

var someOrigin = Origin{Node: "node", Environment: "env", Boot: "boot"}

func TestCountsAreWrittenAsProtobufsEncoderWritesThem(t *testing.T) {
	for seed := range uint64(50) {
		more := randomRound(rand.New(rand.NewPCG(seed, 1)))
		origin := someOrigin
		if seed%3 == 0 {
			origin.Node = "" // it hasn't joined
		}
		b := bookOf(origin)
		heads := []uint64{seed, 1 << 40}
		events, dropped := b.waiting.admit(more.events)
		want := append(appendHeads(nil, heads), marshal(t, message(origin, 0, &more.tally, more.events, more.dropped))...)
		if got := b.counts(heads, &more.tally, events, dropped+more.dropped).Body; !bytes.Equal(got, want) {
			t.Fatalf("seed %d: an entry with counts is\n%x, want\n%x", seed, got, want)
		}
		b.number = seed << 9
		b.take(heads, more, func() {})
		want = marshal(t, message(origin, b.number+1, &more.tally, more.events, more.dropped))
		if got := b.next().data; !bytes.Equal(got, want) {
			t.Fatalf("seed %d: a batch is\n%x, want\n%x", seed, got, want)
		}
	}
}

func FuzzCounter(f *testing.F) {
	f.Add(int64(1), []byte("0123456789abcdef"), []byte{}, uint8(2), Allowed, uint64(1), uint64(2), uint64(3), uint64(4))
	f.Add(int64(-1), []byte{1}, []byte{2}, uint8(255), strings.Repeat("a", 300), ^uint64(0), uint64(1)<<63, uint64(0), uint64(127))
	f.Fuzz(func(t *testing.T, minute int64, route, consumer []byte, class uint8, verdict string, requests, in, out, took uint64) {
		var counters, credentials tally
		key := Key{Minute: minute, StatusClass: class, Verdict: strings.ToValidUTF8(verdict, "")}
		copy(key.Route[:], route)
		copy(key.Consumer[:], consumer)
		counters.count(key, Counts{Requests: requests, RequestBytes: in, ResponseBytes: out, DurationUs: took})
		credentials.use(CredentialKey{Credential: key.Route, Consumer: key.Consumer, Hour: minute}, CredentialCounts{Requests: requests, LastUsedMs: int64(in)})
		for _, of := range []*tally{&counters, &credentials} {
			if got, want := of.appendAll(nil), marshal(t, message(Origin{}, 0, of, nil, 0)); !bytes.Equal(got, want) {
				t.Fatalf("%x, want %x", got, want)
			}
		}
	})
}

// state is what a book holds, in no order but that of the single requests.
func state(b *book) []any {
	counters, credentials := b.tally.maps()
	var underway []byte
	if b.underway != nil {
		underway = b.underway.data
	}
	return []any{counters, credentials, fmt.Sprintf("%q", b.waiting.events), b.waiting.bytes, b.waiting.dropped, b.number, underway, b.heads}
}

// The journal is followed by a book of its own, entry by entry, beside the one that wrote it: whatever was counted, batched and sent
// meanwhile, both hold the same.
func TestABatchTakesOutOfABookWhatItsEntryTakesOutOfTheJournal(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 2))
		b := bookOf(someOrigin)
		follower := &book{origin: someOrigin, log: b.log}
		follow := func(e spool.Entry) {
			t.Helper()
			if err := follower.apply(spool.Entry{Kind: e.Kind, Body: bytes.Clone(e.Body)}); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if got, want := state(follower), state(b); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: the journal says\n%v, want\n%v", seed, got, want)
			}
		}
		follow(b.all())
		for range 40 {
			switch random.IntN(3) {
			case 0:
				more, heads := randomRound(random), []uint64{random.Uint64()}
				var waits waiting
				events, _ := waits.admit(more.events)
				entry := b.counts(heads, &more.tally, events, more.dropped)
				entry.Body = bytes.Clone(entry.Body)
				b.take(heads, more, func() {})
				follow(entry)
			case 1:
				if b.underway == nil && b.next() != nil {
					follow(spool.Entry{Kind: entryBatch, Body: b.underway.data})
				}
			case 2:
				if b.underway != nil {
					number := b.underway.number
					b.stored()
					follow(spool.Entry{Kind: entryStored, Body: binary.AppendUvarint(nil, number)})
				}
			}
		}
		begun := &book{origin: someOrigin, log: b.log}
		if err := begun.apply(b.all()); err != nil || !reflect.DeepEqual(state(begun), state(b)) {
			t.Errorf("seed %d: a journal begun anew says\n%v, want\n%v, %v", seed, state(begun), state(b), err)
		}
	}
}

// Builds before this one wrote counters in no order, and took any of them into a batch; their journals are taken up by an upgrade.
func TestAJournalWhoseBatchesHoldCountersInAnyOrderIsTakenUp(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		more := randomRound(random)
		m := message(someOrigin, 0, &more.tally, more.events, more.dropped)
		shuffle := func() {
			random.Shuffle(len(m.Counters), func(i, j int) { m.Counters[i], m.Counters[j] = m.Counters[j], m.Counters[i] })
			random.Shuffle(len(m.Credentials), func(i, j int) { m.Credentials[i], m.Credentials[j] = m.Credentials[j], m.Credentials[i] })
		}
		b := bookOf(someOrigin)
		shuffle()
		if err := b.apply(spool.Entry{Kind: entryCounts, Body: append(appendHeads(nil, []uint64{7}), marshal(t, m)...)}); err != nil {
			t.Fatal(err)
		}
		shuffle()
		left := tally{}
		m.Number = 1
		cut := random.IntN(len(m.GetCounters()) + 1)
		for _, c := range m.GetCounters()[cut:] {
			key, counts, err := readCounter(c)
			if err != nil {
				t.Fatal(err)
			}
			left.count(key, counts)
		}
		m.Counters = m.Counters[:cut]
		if err := b.apply(spool.Entry{Kind: entryBatch, Body: marshal(t, m)}); err != nil {
			t.Fatal(err)
		}
		got, credentials := b.tally.maps()
		if want, _ := left.maps(); !maps.Equal(got, want) || len(credentials) > 0 || len(b.waiting.events) > 0 {
			t.Errorf("seed %d: %d counters are left, %d credentials, %d single requests; want %d counters alone", seed, len(got), len(credentials), len(b.waiting.events), len(want))
		}
	}
}
