package usage_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

var (
	noon       = time.Date(2026, 7, 15, 12, 34, 56, 0, time.UTC)
	noonMinute = noon.Unix() / 60
)

func counted(minutes ...int64) []*usagev1.Batch {
	b := good(1)
	b.Counters = nil
	for _, m := range minutes {
		b.Counters = append(b.Counters, &usagev1.Counter{Minute: m, StatusClass: 2, Verdict: "allowed", Requests: 1})
	}
	return []*usagev1.Batch{b}
}

func TestCountersOfManyBatchesAddUp(t *testing.T) {
	one, two := good(1), good(2)
	one.Counters[0].Minute, two.Counters[0].Minute = noonMinute, noonMinute
	two.Counters = append(two.Counters, &usagev1.Counter{Minute: noonMinute - 1, StatusClass: 4, Verdict: "x", Requests: 5, RequestBytes: 6, ResponseBytes: 7, DurationUs: 8})
	in := usage.Tally([]*usagev1.Batch{one, two}, noon)
	if len(in.Minutes) != 2 || in.Minutes[0].Minute != noonMinute-1 || in.Minutes[1].Requests != 2 ||
		in.Minutes[0].Sums != (usage.Sums{Requests: 5, RequestBytes: 6, ResponseBytes: 7, DurationUs: 8}) {
		t.Errorf("%+v", in.Minutes)
	}
	if len(in.Hours) != 2 || in.Hours[0].Minute != noonMinute-34 || in.Hours[0].Requests+in.Hours[1].Requests != 7 {
		t.Errorf("%+v", in.Hours)
	}
	if !slices.Equal(in.FirstMinutes, []int64{noonMinute, noonMinute - 1}) {
		t.Errorf("from %v", in.FirstMinutes)
	}
}

// Whatever a node's clock says: each request counts in exactly one hour that is kept.
func TestNoCountIsLostForItsTime(t *testing.T) {
	const day = 24 * 60
	for name, tt := range map[string]struct {
		minute      int64
		hour        int64 // that it counts in
		minutes     int
		late, moved int
	}{
		"now":                  {noonMinute, noonMinute - 34, 1, 0, 0},
		"a clock ahead":        {noonMinute + 50, noonMinute + 26, 1, 0, 0},
		"a clock far ahead":    {noonMinute + 10*day, noonMinute - 34, 1, 0, 1},
		"yesterday":            {noonMinute - day, noonMinute - 34 - day, 1, 0, 0},
		"last week":            {noonMinute - 7*day, noonMinute - 34 - 7*day, 0, 1, 0},
		"before all hours":     {noonMinute - 500*day, noonMinute - 34, 1, 0, 1},
		"the clock's own zero": {0, noonMinute - 34, 1, 0, 1},
		"before 1970":          {-1 << 63, noonMinute - 34, 1, 0, 1},
		"never":                {1<<63 - 1, noonMinute - 34, 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			in := usage.Tally(counted(tt.minute), noon)
			if len(in.Hours) != 1 || in.Hours[0].Minute != tt.hour || in.Hours[0].Requests != 1 || len(in.Minutes) != tt.minutes {
				t.Errorf("minutes %+v, hours %+v", in.Minutes, in.Hours)
			}
			if in.Taken.Late != tt.late || in.Taken.Moved != tt.moved {
				t.Errorf("%+v", in.Taken)
			}
		})
	}
}

// Every row that a batch can give has a partition, also at the edges of what is kept and of a month.
func TestEveryRowFindsItsPartition(t *testing.T) {
	for _, now := range []time.Time{noon, time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)} {
		at := now.Unix() / 60
		b := counted(at, at+60, at+61, at-2880, at-2879, at-2881, at-400*1440, at-400*1440+60, at-400*1440-1, 0)[0]
		for _, c := range b.GetCounters() {
			b.Credentials = append(b.Credentials, &usagev1.CredentialCount{Credential: make([]byte, 16), Hour: c.GetMinute() / 60, Requests: 1})
			b.Events = append(b.Events, &usagev1.Event{TimeMs: c.GetMinute() * 60_000, Status: 401, Verdict: "x"})
		}
		b.Events = append(b.Events, &usagev1.Event{TimeMs: now.Add(-usage.KeepRequests).UnixMilli(), Status: 401, Verdict: "x"})
		in := usage.Tally([]*usagev1.Batch{b}, now)
		wanted := usage.Wanted(now)
		there := func(table string, at int64) {
			t.Helper()
			holds := 0
			for _, p := range wanted {
				if p.Table == table && p.From <= at && at < p.To {
					holds++
				}
			}
			if holds != 1 {
				t.Errorf("at %v, %d partitions of %s hold %d", now, holds, table, at)
			}
		}
		for _, r := range in.Minutes {
			there("usage_minutes", r.Minute)
		}
		for _, r := range in.Hours {
			there("usage_hours", r.Minute/60)
		}
		for _, c := range in.Credentials {
			there("usage_credentials", c.Hour)
		}
		for _, r := range in.Requests {
			there("usage_events", r.TimeMs)
		}
		if len(in.Minutes) == 0 || len(in.Credentials) == 0 || len(in.Requests) == 0 {
			t.Errorf("%+v", in.Taken)
		}
	}
}

func TestLastUseOfACredentialIsNeverInTheFuture(t *testing.T) {
	key, other := id.New(noon), id.New(noon)
	b := good(1)
	b.Credentials = []*usagev1.CredentialCount{
		{Credential: key[:], Hour: noonMinute / 60, Requests: 2, LastUsedMs: noon.Add(-time.Minute).UnixMilli()},
		{Credential: key[:], Hour: noonMinute/60 - 1, Requests: 3, LastUsedMs: noon.Add(-time.Hour).UnixMilli()},
		{Credential: other[:], Hour: noonMinute / 60, Requests: 1, LastUsedMs: noon.Add(1000 * time.Hour).UnixMilli()},
		{Credential: other[:], Hour: noonMinute/60 - 100*24, Requests: 7},
	}
	in := usage.Tally([]*usagev1.Batch{b}, noon)
	uses := map[[16]byte]usage.CredentialUse{}
	for _, u := range in.Uses {
		uses[u.Credential] = u
	}
	if u := uses[key]; u.Requests != 5 || !u.LastUsed.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%+v", u)
	}
	if u := uses[other]; u.Requests != 8 || !u.LastUsed.Equal(noon) {
		t.Errorf("%+v", u)
	}
	if len(in.Credentials) != 3 { // that of 100 days ago is in the sum alone
		t.Errorf("%+v", in.Credentials)
	}
}

func TestWhatAStrangerWroteIsMadeFitAndNoReasonToLoseCounts(t *testing.T) {
	b := good(1)
	b.Events = []*usagev1.Event{
		{TimeMs: noon.UnixMilli(), Status: 400, Verdict: "bad_request", Method: "G\x00T", Host: strings.Repeat("é", 400), Path: "/a\nb\u0085c", Client: []byte{192, 0, 2, 1}},
		{TimeMs: noon.Add(-8 * 24 * time.Hour).UnixMilli(), Status: 400, Verdict: "bad_request"},
		{TimeMs: noon.UnixMilli(), Status: 400, Verdict: "x", Client: make([]byte, 5)},
		{TimeMs: noon.UnixMilli(), Status: 400, Verdict: "x", Policy: []byte("abc")},
		{TimeMs: noon.UnixMilli(), Status: 70_000, Verdict: "x"},
		{TimeMs: noon.UnixMilli(), Status: 400, Verdict: "No code"},
		{TimeMs: noon.UnixMilli(), Status: 400, Verdict: "x", Revision: 1 << 63},
	}
	l := &ledger{}
	r, _ := newReceiver(l)
	if verdict := r.Receive(t.Context(), []usage.Delivery{deliver(t, b)}); verdict[0] != usage.Committed {
		t.Fatalf("%v", verdict)
	}
	in := usage.Tally(l.taken, noon)
	if len(in.Requests) != 1 || in.Taken.Expired != 1 || in.Taken.Unlistable != 5 || len(in.Hours) != 1 {
		t.Fatalf("%+v", in.Taken)
	}
	got := in.Requests[0]
	if got.Method != "G\uFFFDT" || got.Path != "/a\uFFFDb\uFFFDc" || len(got.Host) != 254 || !utf8.ValidString(got.Host) || got.Client.String() != "192.0.2.1" {
		t.Errorf("%+v", got)
	}
}

// Two transactions that add to the same rows must lock them in the same order.
func TestRowsComeInOneOrderWhateverTheOrderOfBatches(t *testing.T) {
	var batches []*usagev1.Batch
	for n := range uint64(20) {
		b := good(n + 1)
		b.Counters = nil
		for i := range 20 {
			route := [16]byte{byte(i * 7 % 5), byte(n)}
			b.Counters = append(b.Counters, &usagev1.Counter{Minute: noonMinute - int64(i*3%4), Route: route[:], StatusClass: uint32(i%5 + 1), Verdict: "x", Requests: 1})
			b.Credentials = append(b.Credentials, &usagev1.CredentialCount{Credential: route[:], Hour: noonMinute/60 - int64(i%2), Requests: 1})
		}
		batches = append(batches, b)
	}
	want := usage.Tally(batches, noon)
	slices.Reverse(batches)
	for _, b := range batches {
		slices.Reverse(b.Counters)
		slices.Reverse(b.Credentials)
	}
	got := usage.Tally(batches, noon)
	if !slices.Equal(got.Minutes, want.Minutes) || !slices.Equal(got.Hours, want.Hours) ||
		!slices.Equal(got.Credentials, want.Credentials) || !slices.Equal(got.Uses, want.Uses) {
		t.Error("the order follows that of the batches")
	}
}

func BenchmarkTally(b *testing.B) {
	batch := good(1)
	for i := range 5000 {
		route, consumer := [16]byte{byte(i), byte(i >> 8)}, [16]byte{byte(i)}
		batch.Counters = append(batch.Counters, &usagev1.Counter{Minute: noonMinute - int64(i%3), Route: route[:], Consumer: consumer[:], StatusClass: 2, Verdict: "allowed", Requests: 1})
	}
	data, err := proto.Marshal(batch)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var got usagev1.Batch
		if err := proto.Unmarshal(data, &got); err != nil {
			b.Fatal(err)
		}
		usage.Tally([]*usagev1.Batch{&got}, noon)
	}
	b.ReportMetric(float64(b.N)*float64(len(batch.GetCounters()))/b.Elapsed().Seconds(), "rows/s")
}
