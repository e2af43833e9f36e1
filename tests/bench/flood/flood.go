package flood

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	plainHost, inspectedHost = "plain.test", "inspected.test"
	// ordinary is how many addresses the others have, flooders a tenth of all.
	ordinary, flooders = 90, 10
	// plainRate and inspectedRate are what the others ask, per second: what leaves a small machine mostly idle.
	plainRate, inspectedRate = 200, 25
	lines                    = 32
	bound                    = 15 * time.Minute
)

// Config is how to measure.
type Config struct {
	// Rounds of both loads.
	Rounds int
	// Each load lasts that long.
	Each time.Duration
	// EdgeArgs are added to the edge's command line.
	EdgeArgs []string
}

// Run measures, and writes a table.
func Run(ctx context.Context, cfg Config, out io.Writer) (failed error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	say("starting a stack")
	stack, err := harness.Start(ctx, harness.Config{})
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	defer func() {
		if err := stack.Close(); err != nil && failed == nil {
			failed = err
		}
		_ = os.Remove(stack.LogFile()) // scratch
	}()
	service, err := origin.Start(ctx)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	defer service.Close()
	environment, err := stack.NewEnvironment(ctx, 0, harness.Loopback)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	defer func() {
		if err := environment.Close(); err != nil && failed == nil {
			failed = err
		}
	}()
	edge, err := environment.LaunchEdge(ctx, harness.Launch{Args: cfg.EdgeArgs})
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	if err := prepare(ctx, environment, service.Address); err != nil {
		return err
	}
	m := &measurement{cfg: cfg, edge: edge}
	if err := m.connect(ctx); err != nil {
		return err
	}
	defer m.close()
	if err := m.rounds(ctx); err != nil {
		return err
	}
	_, err = io.WriteString(out, m.report())
	return err //nolint:wrapcheck // says what
}

// prepare makes two routes, one with a waf.
func prepare(ctx context.Context, environment *harness.Environment, target string) error {
	api, name, wait := environment.Stack.API, environment.Name, "60s"
	put, err := api.PutSettingsWithResponse(ctx, name, &sallyport.PutSettingsParams{},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{harness.Loopback}})
	if err := sallyport.Check(put, err); err != nil {
		return err //nolint:wrapcheck // says what
	}
	service, err := api.CreateServiceWithResponse(ctx, name, nil, sallyport.Service{Name: "origin", Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: target}}}})
	if err := sallyport.Check(service, err); err != nil {
		return err //nolint:wrapcheck // says what
	}
	for route, host := range map[string]string{"plain": plainHost, "inspected": inspectedHost} {
		made, err := api.CreateRouteWithResponse(ctx, name, nil, sallyport.Route{Name: route, Service: "origin", Hosts: []string{host}, Paths: harness.Below("/"), Public: true})
		if err := sallyport.Check(made, err); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	policy, err := api.CreatePolicyWithResponse(ctx, name, &sallyport.CreatePolicyParams{Wait: &wait},
		sallyport.Policy{Name: "waf", Kind: "waf", Config: map[string]any{}, AttachedTo: []sallyport.Attachment{{Route: "inspected"}}})
	return sallyport.Check(policy, err) //nolint:wrapcheck // says what
}

// measurement is the two loads and what came of them.
type measurement struct {
	cfg    Config
	edge   *harness.Edge
	others [2]*load.Clients
	came   [2]outcomes // calm, flooded
	flood  answers
	spent  time.Duration // by inspections, while flooded
	lasted time.Duration
}

// outcomes are those of the two kinds of ordinary requests, in rounds.
type outcomes [2][]outcome

type outcome struct {
	latencies load.Latencies
	failed    int
	failure   error
}

var rates = [2]float64{plainRate, inspectedRate}

func (m *measurement) connect(ctx context.Context) (err error) {
	for kind, host := range []string{plainHost, inspectedHost} {
		protocol := &load.HTTP{Target: load.Target{Address: strings.TrimPrefix(m.edge.URL, "http://")}, Requests: ordinaryRequests(host), Answer: origin.ShortAnswer}
		if m.others[kind], err = load.Connect(ctx, protocol, lines); err != nil {
			return err //nolint:wrapcheck // says what
		}
	}
	return nil
}

func (m *measurement) close() {
	for _, clients := range m.others {
		if clients != nil {
			clients.Close()
		}
	}
}

// rounds lets both loads take turns; which of them is first changes.
func (m *measurement) rounds(ctx context.Context) error {
	if err := m.measure(ctx, nil); err != nil { // warms up
		return err
	}
	for round := range m.cfg.Rounds {
		say(fmt.Sprintf("round %d of %d", round+1, m.cfg.Rounds))
		for turn := range 2 {
			flooded := (turn+round)%2 == 1
			if err := m.round(ctx, round, flooded); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *measurement) round(ctx context.Context, round int, flooded bool) error {
	if !flooded {
		return m.measure(ctx, &m.came[0])
	}
	before, began, err := m.inspected(ctx)
	if err != nil {
		return err
	}
	stop := startFlood(ctx, m.edge.URL, round, &m.flood)
	err = m.measure(ctx, &m.came[1])
	stop()
	if err != nil {
		return err
	}
	after, ended, err := m.inspected(ctx)
	m.spent += after - before
	m.lasted += ended.Sub(began)
	if err != nil {
		return err
	}
	return m.settle(ctx)
}

// measure lets the others ask for a while.
func (m *measurement) measure(ctx context.Context, into *outcomes) error {
	var failures [2]error
	var both sync.WaitGroup
	for kind := range m.others {
		both.Go(func() {
			result, latencies, err := m.others[kind].Open(ctx, rates[kind], m.cfg.Each)
			failures[kind] = err
			if into != nil {
				into[kind] = append(into[kind], outcome{latencies, result.Failed, result.Failure})
			}
		})
	}
	both.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// inspected tells what inspections have cost so far, and when that was.
func (m *measurement) inspected(ctx context.Context) (time.Duration, time.Time, error) {
	metrics, err := m.edge.Metrics(ctx)
	return time.Duration(metrics.Sum("sallyport_edge_inspection_cpu_seconds_total") * float64(time.Second)), time.Now(), err
}

// settle returns once nothing of a flood is at work or waits.
func (m *measurement) settle(ctx context.Context) error {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		metrics, err := m.edge.Metrics(ctx)
		if err != nil {
			return err //nolint:wrapcheck // says what
		}
		if metrics.Sum("sallyport_edge_inspections_at_work")+metrics.Sum("sallyport_edge_inspections_waiting") == 0 {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

// processors is how many the edge may use.
func processors() int { return runtime.GOMAXPROCS(0) }

func say(what string) { fmt.Fprintf(os.Stderr, "==> %s\n", what) }
