package e2e

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// floodShare of the processors is what the edge of this story may take for inspections.
	floodShare = 0.5
	// refusals are how often each flooder wants to be refused.
	refusals = 5
	// floodPatience bounds the story: dear bodies on a machine that others use take long.
	floodPatience = 3 * time.Minute
)

// What inspections may cost is an edge's, and who pays is told by its settings: it has an environment of its own.
func TestAFloodOfDearBodiesIsRefusedToWhoSendsItAndNobodyElseIs(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0, harness.Loopback)
	edge, err := s.Environment.LaunchEdge(t.Context(), harness.Launch{Args: []string{"-inspection-share", fmt.Sprint(floodShare)}})
	if err != nil {
		t.Fatal(err)
	}
	s.Settings(map[string]any{"trusted_proxies": []any{harness.Loopback}})
	service := s.Service("service", harness.NewUpstream(t, nil).Address)
	open := s.Route(sallyport.Route{Name: s.Name("open"), Service: service.Name, Hosts: []string{"open." + s.Host}, Paths: harness.Below("/"), Public: true})
	keyed := s.Route(sallyport.Route{Name: s.Name("keyed"), Service: service.Name, Hosts: []string{"keyed." + s.Host}, Paths: harness.Below("/"), Public: true})
	plain := s.Route(sallyport.Route{Name: s.Name("plain"), Service: service.Name, Hosts: []string{"plain." + s.Host}, Paths: harness.Below("/"), Public: true})
	s.Policy(harness.APIKeys(s.Name("keys"), sallyport.Attachment{Route: keyed.Name}))
	s.Policy(sallyport.Policy{
		Name: s.Name("waf"), Kind: "waf", AttachedTo: []sallyport.Attachment{{Route: open.Name}, {Route: keyed.Name}},
		Config: map[string]any{"budget": map[string]any{"per_address": "1s", "per_credential": "1s", "refill": "10s"}},
	})
	consumer := s.Consumer("consumer")
	key := func(n int) string {
		return s.Key(sallyport.APIKey{Name: s.Name("key-" + strconv.Itoa(n)), Consumer: consumer.Name}).Key
	}

	before, began := s.Metrics(edge), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), floodPatience)
	defer cancel()
	flooded, over := context.WithCancel(ctx)
	var flooders, others sync.WaitGroup
	for n := range 6 {
		from := caller{edge: edge, address: func(int) string { return fmt.Sprintf("192.0.2.%d", n+1) }}
		others.Go(func() { from.live(flooded, t, open.Hosts[0], plain.Hosts[0]) })
	}
	for n := range 3 {
		from := caller{edge: edge, key: key(n), address: func(int) string { return fmt.Sprintf("192.0.2.%d", n+101) }}
		others.Go(func() { from.live(flooded, t, keyed.Hosts[0], plain.Hosts[0]) })
	}
	address := caller{edge: edge, address: func(int) string { return "203.0.113.1" }}
	flooders.Go(func() { address.flood(ctx, t, open.Hosts[0]) })
	network := caller{edge: edge, address: func(n int) string { return fmt.Sprintf("2001:db8::%x", n+1) }}
	flooders.Go(func() { network.flood(ctx, t, open.Hosts[0]) })
	credential := caller{edge: edge, key: key(100), address: func(n int) string { return fmt.Sprintf("198.51.%d.%d", n/250, n%250+1) }}
	flooders.Go(func() { credential.flood(ctx, t, keyed.Hosts[0]) })
	flooders.Wait()
	over()
	others.Wait()

	after, elapsed := s.Metrics(edge), time.Since(began).Seconds()
	since := func(metric string, labels ...string) float64 {
		return after.Sum(metric, labels...) - before.Sum(metric, labels...)
	}
	spent, share := since("sallyport_edge_inspection_cpu_seconds_total"), floodShare*float64(runtime.NumCPU())
	const late = 5 // seconds of a processor: pieces under way when the share is used up
	if most := share*(elapsed+2) + late; spent > most || spent == 0 {
		t.Errorf("inspections took %.1f s of a processor within %.1f s; %.1f s is the most", spent, elapsed, most)
	}
	var refused float64
	for _, reason := range []string{"address", "credential", "node"} {
		refused += since("sallyport_edge_inspections_refused_total", fmt.Sprintf("reason=%q", reason))
	}
	if refused < 3*refusals {
		t.Errorf("%.0f refusals are counted, of %d at least", refused, 3*refusals)
	}
	if at := after.Sum("sallyport_edge_inspections_at_work"); at > after.Sum("sallyport_edge_inspection_turns") {
		t.Errorf("%.0f inspections are at work", at)
	}
}

// caller is one of the clients, who may change its address with each request.
type caller struct {
	edge    *harness.Edge
	address func(n int) string
	key     string
}

func (c caller) ask(ctx context.Context, n int, host, body string) (harness.Response, error) {
	request := harness.Request{Host: host, Path: "/articles?page=2&q=garden+chairs", Header: http.Header{"X-Forwarded-For": {c.address(n)}, "Accept": {"*/*"}, "User-Agent": {"story"}}}
	if c.key != "" {
		request.Header.Set("X-Api-Key", c.key)
	}
	if body != "" {
		request.Method, request.Body = http.MethodPost, body
		request.Header.Set("Content-Type", "application/json")
	}
	return c.edge.Do(ctx, request)
}

// live asks for little now and then, and is always answered.
func (c caller) live(ctx context.Context, t *testing.T, hosts ...string) {
	t.Helper()
	pause := time.NewTicker(500 * time.Millisecond)
	defer pause.Stop()
	for n := 0; ; n++ {
		for _, host := range hosts {
			answer, err := c.ask(ctx, n, host, "")
			if ctx.Err() != nil {
				return
			}
			if err != nil || answer.Status != http.StatusOK {
				t.Errorf("who floods nobody is answered %s at %s: %v", answer, host, err)
			}
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// flood sends dear bodies until it has been refused for what they cost, again and again.
func (c caller) flood(ctx context.Context, t *testing.T, host string) {
	t.Helper()
	body := dearBody(15 << 10)
	let, refused := 0, 0
	for n := 0; refused < refusals; n++ {
		answer, err := c.ask(ctx, n, host, body)
		if err != nil {
			t.Errorf("a dear body: %v", err)
			return
		}
		switch {
		case answer.Status == http.StatusTooManyRequests && answer.Code() == "inspection_over_budget":
			if after, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || after < 1 || after > 100 {
				t.Errorf("who floods is told to come back after %q", answer.Header.Get("Retry-After"))
			}
			refused++
		case answer.Status == http.StatusOK:
			let++
		case answer.Status == http.StatusServiceUnavailable && answer.Code() == "inspection_busy":
		default:
			t.Errorf("a dear body is answered %s", answer)
			return
		}
	}
	if let == 0 {
		t.Error("a flooder was refused before it had cost anything")
	}
}

// dearBody is JSON of at least so many bytes that takes an engine long, and in which it finds nothing.
func dearBody(bytes int) string {
	var b strings.Builder
	b.WriteString(`{"lines":[`)
	for n := 0; b.Len() < bytes; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name%d":"a garden chair of oak, delivered within the week to the second floor"}`, n)
	}
	return b.String() + "]}"
}
