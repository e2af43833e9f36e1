package proxy

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
)

// discarding is a bus that takes everything.
type discarding struct{}

func (discarding) Publish(context.Context, string, []byte) error { return nil }

// tracingRound is how many requests are made before the other side's turn: the keeper of usage has some too in that time.
const tracingRound = 20_000

// What it costs that the settings have decisions traced: off and at the default rate by turns, so that both meet the same machine. Sockets are not in
// it, so that its share of a real request is smaller. "refused" is a request whose decision is told in any case, as far as there is room.
func BenchmarkTracing(b *testing.B) {
	for name, key := range map[string]bool{"allowed": true, "refused": false} {
		b.Run(name, func(b *testing.B) {
			e := newBenchEdge(b)
			header := []string{"User-Agent: bench/1.0", "Accept: application/json"}
			if key {
				header = append(header, "X-Api-Key: "+e.key)
			}
			asked := e.Exchange(edgetest.Get("/stream", header...))
			round := func(with *snapshot.Snapshot) float64 {
				e.holder.Store(with)
				start := processorTime(b)
				for range tracingRound {
					e.pass(asked)
				}
				return float64(processorTime(b)-start) / tracingRound
			}
			off, on := e.compiled(b, "0"), e.compiled(b, "1000")
			var without, with, extra []float64
			b.ReportAllocs()
			for b.Loop() {
				a, o := round(off), round(on)
				without, with, extra = append(without, a), append(with, o), append(extra, 100*(o-a)/a)
			}
			b.ReportMetric(median(without), "off-cpu-ns")
			b.ReportMetric(median(with), "on-cpu-ns")
			b.ReportMetric(median(extra), "extra-%")
		})
	}
}

func newBenchEdge(b *testing.B) *edge {
	b.Helper()
	e := newEdge(b, answering{200})
	e.RealTime = true
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = usage.NewSender(e.ledger, discarding{}, slog.New(slog.DiscardHandler)).Run(ctx, time.Second)
	}()
	b.Cleanup(func() { end(); <-ended })
	return e
}

// compiled returns the configuration with a rate.
func (e *edge) compiled(b *testing.B, perMillion string) *snapshot.Snapshot {
	b.Helper()
	e.configure(b, strings.Replace(traced(perMillion), `"requests": 9`, `"requests": 1000000`, 1))
	return e.holder.Load()
}

// pass takes a request through the proxy, as a listener does.
func (e *edge) pass(asked *pipeline.Exchange) {
	ex := e.proxy.Acquire()
	ex.ID, ex.Started, ex.Client = id.New(time.Now()), time.Now(), asked.Client
	header := ex.Request.Header
	ex.Request = asked.Request
	ex.Request.Header = header
	for _, f := range asked.Request.Header.Fields() {
		ex.Request.Header.Add(f.Name, f.Value)
	}
	e.proxy.Serve(ex)
	e.proxy.Finish(ex)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// unguarded is the same route without policies.
var unguarded = strings.NewReplacer(`"kind":`, `"mode": "off", "kind":`, `"name": "r",`, `"name": "r", "public": true,`).Replace(traced("0"))

// What the gateway adds to a request besides the wire: from an exchange that is filled in to one that is counted.
func BenchmarkPass(b *testing.B) {
	for _, c := range []struct {
		name         string
		key, logging bool
	}{{"open", false, false}, {"key-and-limit", true, false}, {"key-and-limit-logged", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			e := newBenchEdge(b)
			header := []string{"User-Agent: bench/1.0", "Accept: application/json"}
			if c.key {
				header = append(header, "X-Api-Key: "+e.key)
				e.holder.Store(e.compiled(b, "0"))
			} else {
				e.configure(b, unguarded)
			}
			if c.logging {
				e.proxy.log = NewAccessLog(io.Discard)
				go func() { _ = e.proxy.log.Run(b.Context()) }()
			}
			asked := e.Exchange(edgetest.Get("/stream", header...))
			if code := e.Do(edgetest.Get("/stream", header...)).Verdict; code != pipeline.Allowed {
				b.Fatal(code)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.pass(asked)
			}
		})
	}
}
