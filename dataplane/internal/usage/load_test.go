package usage

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The load of BenchmarkManyKeys: callers drawn at random, so that nearly each request is a counter of its own.
const (
	callers   = 100_000
	perKeep   = 7_500
	keepsSent = 10 // keeps between two rounds of the sender
)

type nobody struct{}

func (nobody) Publish(context.Context, string, []byte) error { return nil }

// BenchmarkManyKeys is the price of one request behind the scenes where 100,000 keys ask 75,000 times a second: keeping ten times a
// second, and sending once. It tells the processor's time too, collecting garbage included: the disk makes the keeper wait for free.
func BenchmarkManyKeys(b *testing.B) {
	ledger := Open(Config{Dir: b.TempDir(), Origin: Origin{Node: testNode, Environment: testEnvironment, Boot: "boot"}, Log: slog.New(slog.DiscardHandler)})
	defer func() { _ = ledger.close() }()
	sender := NewSender(ledger, nobody{}, slog.New(slog.DiscardHandler))
	random, q, now := rand.New(rand.NewPCG(1, 2)), request(1), float64(request(1).TimeMs)
	const perMs = perKeep * float64(time.Millisecond) / float64(keepInterval)
	var cpu time.Duration
	var before, after runtime.MemStats
	var allocs, bytes uint64
	for keeps := 1; b.Loop(); keeps++ {
		b.StopTimer()
		for n := range perKeep {
			caller := uint64(random.IntN(callers))
			binary.BigEndian.PutUint64(q.Consumer[8:], caller)
			binary.BigEndian.PutUint64(q.Credential[8:], caller)
			now += 1 / perMs
			q.TimeMs = int64(now)
			ledger.recorder.Record(uint32(n/(perKeep/4)), q)
		}
		runtime.ReadMemStats(&before)
		from := processorTime(b)
		b.StartTimer()
		ledger.keep()
		if keeps%keepsSent == 0 && !sender.round(b.Context()) {
			b.Fatal("something is left")
		}
		b.StopTimer()
		cpu += processorTime(b) - from
		runtime.ReadMemStats(&after)
		allocs, bytes = allocs+after.Mallocs-before.Mallocs, bytes+after.TotalAlloc-before.TotalAlloc
		b.StartTimer()
	}
	requests := float64(b.N) * perKeep
	b.ReportMetric(float64(cpu)/requests, "cpu-ns/request")
	b.ReportMetric(float64(allocs)/requests, "allocs/request")
	b.ReportMetric(float64(bytes)/requests, "B/request")
}

// processorTime is what the process has used of it.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
