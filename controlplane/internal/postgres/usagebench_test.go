package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// BenchmarkIngest is one writer that takes groups of 16 batches of 3,000 counters, as a backlog comes in.
// "fleet" is a fleet's: the nodes count the same consumers on the same routes, second after second.
// "distinct" is the worst there is: no two counters ever add up, so each is a new row of the minutes and of
// the hours.
func BenchmarkIngest(b *testing.B) {
	for _, kind := range []string{"fleet", "distinct"} {
		b.Run(kind, func(b *testing.B) { benchmarkIngest(b, kind == "distinct") })
	}
}

func benchmarkIngest(b *testing.B, distinct bool) {
	b.Helper()
	const nodes, counters = 16, 3000
	db, err := postgres.Open(b.Context(), postgrestest.Database(b, postgres.Migrate))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(db.Close)
	u := db.Usage()
	consumers := make([]id.ID, counters)
	for i := range consumers {
		consumers[i] = id.New(time.Now())
	}
	now := time.Now().Unix() / 60
	rows, number := 0, uint64(0)
	group := func() []*usagev1.Batch {
		number++
		batches := make([]*usagev1.Batch, nodes)
		for n := range batches {
			batches[n] = &usagev1.Batch{Environment: "env_1", Node: fmt.Sprintf("node_%d", n), Boot: "b", Number: number}
			for i := range counters {
				consumer := consumers[i]
				if distinct {
					consumer = id.New(time.Now())
				}
				batches[n].Counters = append(batches[n].Counters, &usagev1.Counter{
					Minute: now - int64(number/60), Route: consumers[i%50][:], Consumer: consumer[:], StatusClass: 2, Verdict: "allowed", Requests: 3,
				})
			}
		}
		return batches
	}
	if _, err := u.Ingest(context.Background(), group()); err != nil { // makes the partitions
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		batches := group()
		b.StartTimer()
		taken, err := u.Ingest(context.Background(), batches)
		if err != nil || taken.Batches != nodes {
			b.Fatal(taken, err)
		}
		rows += taken.Counters
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
