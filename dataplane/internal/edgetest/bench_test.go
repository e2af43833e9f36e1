package edgetest_test

import (
	"bytes"
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/apikey"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	manyRoutes = 10_000
	manyKeys   = 100_000
)

// big returns an edge with many routes on 20 hosts, all protected and limited, and what the i-th route's requests are.
func big(t testing.TB, routes int) (*edgetest.Edge, []edgetest.Request) {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	routeType, _ := resource.ByCollection("routes")
	requests := make([]edgetest.Request, routes)
	for i := range routes {
		e.Put(t, routeType, bigRoute(i))
		target := []string{"/status", "/orders/4711/lines/3", "/files/a/b/c.txt"}[i%3]
		requests[i] = edgetest.Get(fmt.Sprintf("/service-%d%s", i, target))
		requests[i].Host = fmt.Sprintf("api-%d.example.com", i%20)
	}
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"policies": [
			{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]},
			{"name": "limit", "kind": "rate-limit", "attached_to": [{"environment": true}], "config": {
				"by": [{"key": true}], "windows": [{"requests": 300, "window": "1m", "burst": 3000000}], "max_callers": 200000}}
		]
	}`)
	return e, requests
}

func bigRoute(i int) *configv1.Route {
	r := &configv1.Route{
		Name: fmt.Sprintf("route-%d", i), Service: "s",
		Hosts: []string{fmt.Sprintf("api-%d.example.com", i%20)}, Methods: []string{"GET", "POST"},
	}
	switch i % 3 {
	case 0:
		r.Paths = []*configv1.PathMatch{{Match: &configv1.PathMatch_Exact{Exact: fmt.Sprintf("/service-%d/status", i)}}}
	case 1:
		r.Paths = []*configv1.PathMatch{{Match: &configv1.PathMatch_Template{Template: fmt.Sprintf("/service-%d/orders/{id}/lines/{line}", i)}}}
	default:
		r.Paths = []*configv1.PathMatch{{Match: &configv1.PathMatch_Prefix{Prefix: fmt.Sprintf("/service-%d/files", i)}}}
	}
	return r
}

// fill adds many keys of a hundredth as many consumers.
func fill(t testing.TB, e *edgetest.Edge, n int) []string {
	t.Helper()
	keys := make([]string, n)
	changes := make([]*edgev1.EntryChange, n)
	owner := e.Consumer(t, "consumer-0", false)
	for i := range keys {
		made, err := apikey.Generate(cryptorand.Reader, "test")
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = made.Reveal()
		if i%100 == 0 {
			owner = e.Consumer(t, fmt.Sprintf("consumer-%d", i/100), false)
		}
		changes[i] = edgetest.KeyEntry(t, keys[i], owner, edgetest.Key{})
	}
	e.Fill(t, changes)
	return keys
}

// ask is a request spread over all routes and keys.
type ask struct {
	host, target string
	header       [4]pipeline.Field
}

func asks(requests []edgetest.Request, keys []string, n int) []ask {
	all := make([]ask, n)
	for i := range all {
		r := requests[i*7919%len(requests)]
		all[i] = newAsk(r.Host, r.Target, keys[i*104729%len(keys)])
	}
	return asRead(all)
}

func newAsk(host, target, key string) ask {
	return ask{host: host, target: target, header: [4]pipeline.Field{
		{Name: "Host", Value: host},
		{Name: "User-Agent", Value: "bench/1.0"},
		{Name: "Accept", Value: "application/json"},
		{Name: "X-Api-Key", Value: key},
	}}
}

// asRead lays the bytes of requests one behind the other: a listener has just read a request's when it asks, so that they
// are in the processor's caches, which here the processor sees to by reading ahead.
func asRead(all []ask) []ask {
	var text strings.Builder
	for i := range all {
		text.WriteString(all[i].host + all[i].target + all[i].header[3].Value)
	}
	rest := text.String()
	next := func(n int) (piece string) {
		piece, rest = rest[:n], rest[n:]
		return piece
	}
	for i, a := range all {
		all[i] = newAsk(next(len(a.host)), next(len(a.target)), next(len(a.header[3].Value)))
	}
	return all
}

// decide is what the four cost: canonical path, router, api-key, rate-limit; on an exchange that is used again, as a
// listener's is.
func decide(holder *snapshot.Holder, ex *pipeline.Exchange, a *ask) error {
	ex.Reset()
	ex.Request.Method, ex.Request.Authority = "GET", a.host
	for i := range a.header {
		ex.Request.Header.Add(a.header[i].Name, a.header[i].Value)
	}
	canonical, err := path.Canonical(a.target)
	if err != nil {
		return err
	}
	ex.Request.Path = canonical
	route, err := holder.Load().Route(ex)
	if err != nil {
		return err
	}
	defer route.Stages.Finish(ex)
	if rejection := route.Stages.Run(ex); rejection != nil {
		return rejection
	}
	return nil
}

func TestTheDecisionDoesNotAllocate(t *testing.T) {
	e, requests := big(t, 300)
	all := asks(requests, fill(t, e, 300), 300)
	ex := e.Exchange(edgetest.Request{})
	for i := range all {
		if err := decide(&e.Holder, ex, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		if err := decide(&e.Holder, ex, &all[i%len(all)]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// skewed draws from asks as callers do: a few of them most of the time, all of them sometimes (Zipf).
func skewed(from []ask) []ask {
	draw := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(len(from)-1))
	all := make([]ask, 1<<17)
	for i := range all {
		all[i] = from[draw.Uint64()]
	}
	return asRead(all)
}

// The figure that is promised: 10,000 routes, 100,000 keys. "spread" asks for all of them in turn, so that hardly
// anything lies in the processor's caches; "skewed" for some much more often than for others; "hot" for a hundred.
func BenchmarkDecision(b *testing.B) {
	e, requests := big(b, manyRoutes)
	e.RealTime = true
	keys := fill(b, e, manyKeys)
	for name, all := range map[string][]ask{
		"spread": asks(requests, keys, 1<<16),
		"skewed": skewed(asks(requests, keys, manyKeys)),
		"hot":    asks(requests[:100], keys[:100], 100),
	} {
		b.Run(name, func(b *testing.B) {
			ex := e.Exchange(edgetest.Request{})
			for i := range all { // gives every caller its cell
				if err := decide(&e.Holder, ex, &all[i]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			start := processorTime(b)
			for i := 0; b.Loop(); i++ {
				if err := decide(&e.Holder, ex, &all[i%len(all)]); err != nil {
					b.Fatal(err)
				}
			}
			reportProcessorTime(b, start)
		})
	}
	// What of the above is the bytes of requests, which no listener has just read.
	all := asks(requests, keys, 1<<16)
	b.Run("spread/reading alone", func(b *testing.B) {
		ex := e.Exchange(edgetest.Request{})
		read := 0
		start := processorTime(b)
		for i := 0; b.Loop(); i++ {
			a := &all[i%len(all)]
			ex.Reset()
			for _, f := range a.header {
				ex.Request.Header.Add(f.Name, f.Value)
			}
			read += strings.Count(a.header[3].Value, "x") + strings.Count(a.target, "x") + strings.Count(a.host, "x")
		}
		reportProcessorTime(b, start)
		if read < 0 {
			b.Fatal()
		}
	})
}

// processorTime is what the process has used: on a machine that others use too, wall time tells about them.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	runtime.GC() // of what came before
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func reportProcessorTime(b *testing.B, start time.Duration) {
	b.Helper()
	b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
}

// One route of many is changed, and everything is handed over anew.
func BenchmarkOneRouteOfMany(b *testing.B) {
	for name, compile := range map[string]func(*edgetest.Edge, uint64, snapshot.Source, []snapshot.Source, *snapshot.Snapshot) (*snapshot.Snapshot, []*edgev1.ObjectError){
		"update": func(e *edgetest.Edge, n uint64, change snapshot.Source, _ []snapshot.Source, previous *snapshot.Snapshot) (*snapshot.Snapshot, []*edgev1.ObjectError) {
			return snapshot.Update(e.Env, n, []snapshot.Source{change}, previous)
		},
		"whole": func(e *edgetest.Edge, n uint64, _ snapshot.Source, all []snapshot.Source, previous *snapshot.Snapshot) (*snapshot.Snapshot, []*edgev1.ObjectError) {
			return snapshot.Compile(e.Env, n, all, previous)
		},
	} {
		b.Run(name, func(b *testing.B) {
			e, _ := big(b, manyRoutes)
			sources, current := e.Sources(), e.Holder.Load()
			variants := [2][]snapshot.Source{}
			routeType, _ := resource.ByCollection("routes")
			for v := range variants {
				changed := bigRoute(5000)
				changed.Hosts = append(changed.Hosts, fmt.Sprintf("other-%d.example.com", v))
				e.Put(b, routeType, changed)
				variants[v] = slices.Clone(sources)
				for _, s := range e.Sources() {
					if at := slices.IndexFunc(variants[v], func(o snapshot.Source) bool { return o.ID == s.ID }); !bytes.Equal(variants[v][at].Data, s.Data) {
						variants[v][at] = s
						variants[v][0], variants[v][at] = variants[v][at], variants[v][0]
					}
				}
			}
			b.ReportAllocs()
			start := processorTime(b)
			for i := 0; b.Loop(); i++ {
				next, errs := compile(e, uint64(i), variants[i%2][0], variants[i%2], current)
				if len(errs) > 0 {
					b.Fatal(errs)
				}
				current = next
			}
			reportProcessorTime(b, start)
		})
	}
}

func BenchmarkCompileMany(b *testing.B) {
	e, _ := big(b, manyRoutes)
	sources := e.Sources()
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := snapshot.Compile(e.Env, 1, sources, nil); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

// A policy of the whole environment is changed: every route is linked anew.
func BenchmarkOnePolicyOfAllRoutes(b *testing.B) {
	e, _ := big(b, manyRoutes)
	at := slices.IndexFunc(e.Sources(), func(s snapshot.Source) bool { return s.ID == e.ID("policies", "limit") })
	change, current := e.Sources()[at], e.Holder.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		next, errs := snapshot.Update(e.Env, uint64(i), []snapshot.Source{change}, current)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		current = next
	}
}
