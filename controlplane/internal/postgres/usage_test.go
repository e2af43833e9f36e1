package postgres_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func usageDatabase(t *testing.T) *postgres.Usage {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db.Usage()
}

// minute is the first of an hour of today or yesterday.
var minute = time.Now().Unix()/3600*60 - 3*60

func batch(node, boot string, number uint64, counters ...*usagev1.Counter) *usagev1.Batch {
	return &usagev1.Batch{Node: node, Environment: "env_1", Boot: boot, Number: number, Counters: counters}
}

func counter(at int64, requests uint64) *usagev1.Counter {
	return &usagev1.Counter{Minute: at, StatusClass: 2, Verdict: "allowed", Requests: requests, RequestBytes: 1, ResponseBytes: 2, DurationUs: 3}
}

func total(t *testing.T, u *postgres.Usage) int64 {
	t.Helper()
	rows, err := u.Usage(t.Context(), "env_1", usage.Question{FromMinute: 0, ToMinute: 1 << 40, BucketMinutes: 1, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		return 0
	}
	return rows[0].Requests
}

func TestBatchCountsOnceHoweverOftenItComes(t *testing.T) {
	u := usageDatabase(t)
	one, two, three := batch("n1", "b", 1, counter(minute, 10)), batch("n1", "b", 2, counter(minute, 5)), batch("n1", "b", 3, counter(minute, 1))
	groups := []struct {
		batches []*usagev1.Batch
		counted int
		total   int64
	}{
		{[]*usagev1.Batch{one}, 1, 10},
		{[]*usagev1.Batch{one}, 0, 10},
		{[]*usagev1.Batch{three, one, three}, 1, 11}, // a gap, and twice in one group
		{[]*usagev1.Batch{two, three}, 1, 16},        // the gap closes
		{[]*usagev1.Batch{one, two, three}, 0, 16},
		{[]*usagev1.Batch{batch("n1", "c", 1, counter(minute, 100)), batch("n2", "b", 1, counter(minute, 1000))}, 2, 1116}, // another boot, another node
	}
	for i, g := range groups {
		counted, err := u.Ingest(t.Context(), g.batches)
		if err != nil || counted.Batches != g.counted || total(t, u) != g.total {
			t.Errorf("group %d: %d counted, %d in all: %v", i, counted.Batches, total(t, u), err)
		}
	}
}

func TestIngestThatFailsCountsNothingAndCanBeTriedAgain(t *testing.T) {
	u := usageDatabase(t)
	good := batch("n", "b", 1, counter(minute, 10))
	bad := batch("n", "b", 2, &usagev1.Counter{Minute: minute, StatusClass: 9, Verdict: "x", Requests: 1})
	if _, err := u.Ingest(t.Context(), []*usagev1.Batch{good, bad}); !errors.Is(err, usage.ErrBatch) {
		t.Fatalf("a class of status that isn't was taken: %v", err)
	}
	if got := total(t, u); got != 0 {
		t.Errorf("%d counted", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Ingest(gone, []*usagev1.Batch{good}); err == nil {
		t.Error("it was taken after the end")
	}
	if counted, err := u.Ingest(t.Context(), []*usagev1.Batch{good}); err != nil || counted.Batches != 1 || total(t, u) != 10 {
		t.Errorf("%d counted: %v", counted.Batches, err)
	}
}

func TestReplicasThatHoldTheSameBatchesCountThemOnce(t *testing.T) {
	u := usageDatabase(t)
	const replicas, rounds, nodes = 4, 10, 8
	credentials := []id.ID{id.New(time.Now()), id.New(time.Now()), id.New(time.Now())}
	var all sync.WaitGroup
	for replica := range replicas {
		all.Go(func() {
			for round := range rounds {
				var group []*usagev1.Batch
				for i := range nodes { // in another order each
					node := string(rune('a' + (i*5+replica*3)%nodes))
					b := batch(node, "b", uint64(round+1), counter(minute+int64(i%3), 1))
					b.Credentials = []*usagev1.CredentialCount{{Credential: credentials[i%3][:], Hour: minute / 60, Requests: 1, LastUsedMs: minute * 60_000}}
					b.Events = []*usagev1.Event{{TimeMs: minute * 60_000, RequestId: "req_x", Status: 401, Verdict: "x"}}
					group = append(group, b)
				}
				if _, err := u.Ingest(t.Context(), group); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := total(t, u); got != rounds*nodes {
		t.Errorf("%d counted, want %d", got, rounds*nodes)
	}
	hours := usage.Question{FromMinute: minute, ToMinute: minute + 60, FromHour: minute / 60, ToHour: minute/60 + 1, BucketMinutes: 60, Limit: 2}
	if rows, err := u.Usage(t.Context(), "env_1", hours); err != nil || len(rows) != 1 || rows[0].Requests != rounds*nodes {
		t.Errorf("by the hour %v, %v", rows, err)
	}
	keys, err := u.Credentials(t.Context(), "env_1", usage.CredentialQuestion{FromHour: minute / 60, ToHour: minute/60 + 1, Limit: 10})
	var used int64
	for _, k := range keys {
		used += k.Requests
	}
	if err != nil || len(keys) != 3 || used != rounds*nodes {
		t.Errorf("credentials %v, %v", keys, err)
	}
	listed, err := u.Requests(t.Context(), "env_1", everyRequest)
	if err != nil || len(listed) != rounds*nodes {
		t.Errorf("%d requests listed: %v", len(listed), err)
	}
}

var everyRequest = usage.RequestQuestion{ToMs: math.MaxInt64, BeforeMs: math.MaxInt64, BeforeNumber: math.MaxInt64, Limit: 1000}

func TestUsageIsGroupedAndFiltered(t *testing.T) {
	u := usageDatabase(t)
	route, consumer := id.New(time.Now()), id.New(time.Now())
	full := func(at int64, route, consumer []byte, class uint32, verdict string, requests uint64) *usagev1.Counter {
		return &usagev1.Counter{Minute: at, Route: route, Consumer: consumer, StatusClass: class, Verdict: verdict, Requests: requests, DurationUs: requests * 7}
	}
	_, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n", "b", 1,
		full(minute, route[:], consumer[:], 2, "allowed", 1),
		full(minute, route[:], nil, 4, "credential_missing", 2),
		full(minute+59, nil, nil, 4, "route_not_found", 4),
		full(minute+60, route[:], consumer[:], 2, "allowed", 8),
	)})
	if err != nil {
		t.Fatal(err)
	}
	everything := usage.Question{FromMinute: minute, ToMinute: minute + 61, BucketMinutes: 60, Limit: 100}
	ask := func(change func(*usage.Question)) []usage.Row {
		t.Helper()
		q := everything
		change(&q)
		rows, err := u.Usage(t.Context(), "env_1", q)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	sums := func(rows []usage.Row) (all []int64) {
		for _, r := range rows {
			all = append(all, r.Requests)
			if r.DurationUs != r.Requests*7 {
				t.Errorf("%+v", r)
			}
		}
		return all
	}
	tests := map[string]struct {
		change func(*usage.Question)
		want   []int64
	}{
		"all":              {func(*usage.Question) {}, []int64{15}},
		"by hour":          {func(q *usage.Question) { q.GroupBy = []usage.Dimension{usage.ByTime} }, []int64{7, 8}},
		"by minute":        {func(q *usage.Question) { q.GroupBy, q.BucketMinutes = []usage.Dimension{usage.ByTime}, 1 }, []int64{3, 4, 8}},
		"by route":         {func(q *usage.Question) { q.GroupBy = []usage.Dimension{usage.ByRoute} }, []int64{4, 11}},
		"by class":         {func(q *usage.Question) { q.GroupBy = []usage.Dimension{usage.ByStatusClass} }, []int64{9, 6}},
		"by all":           {func(q *usage.Question) { q.GroupBy = usage.Dimensions() }, []int64{4, 2, 1, 8}},
		"of a consumer":    {func(q *usage.Question) { q.Consumers = [][16]byte{consumer} }, []int64{9}},
		"of nobody":        {func(q *usage.Question) { q.Consumers = [][16]byte{{}} }, []int64{6}},
		"of a route":       {func(q *usage.Question) { q.Routes = [][16]byte{route} }, []int64{11}},
		"of a verdict":     {func(q *usage.Question) { q.Verdicts = []string{"allowed", "x"} }, []int64{9}},
		"of a class":       {func(q *usage.Question) { q.StatusClasses = []int16{4} }, []int64{6}},
		"before":           {func(q *usage.Question) { q.ToMinute = minute }, nil},
		"up to, excluding": {func(q *usage.Question) { q.ToMinute = minute + 60 }, []int64{7}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := sums(ask(tt.change))
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
	if rows, err := u.Usage(t.Context(), "env_2", everything); err != nil || len(rows) != 0 {
		t.Errorf("another environment has %v, %v", rows, err)
	}
}

// What a node says is bounded per counter, not per batch: one that lies may say it again and again.
func TestSumsThatANodeLiesAboutBreakNeitherCountingNorQuestions(t *testing.T) {
	u := usageDatabase(t)
	const most = 1 << 52
	counters := make([]*usagev1.Counter, 20_000)
	for i := range counters {
		counters[i] = counter(minute+int64(i%8), most)
	}
	for number := range uint64(3) {
		if _, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n", "b", number+1, counters...)}); err != nil {
			t.Fatalf("batch %d: %v", number+1, err)
		}
	}
	if _, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("honest", "b", 1, counter(minute, 1))}); err != nil {
		t.Fatal(err)
	}
	if got := total(t, u); got != math.MaxInt64 {
		t.Errorf("%d in all", got)
	}
}
