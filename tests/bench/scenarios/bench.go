package scenarios

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/tests/bench/gateway"
	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/machine"
	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/bench/peers"
	"github.com/sallyport/sallyport/tests/bench/report"
)

// Config is what to measure.
type Config struct {
	// Rounds in which gateways take turns.
	Rounds int
	// Quick measures shortly and little, to see that everything works: its figures mean nothing.
	Quick bool
	// Inspection measures what inspecting requests costs, and nothing else.
	Inspection bool
	// Only names the scenarios to measure; none: all.
	Only []string
	// Self is the command of this program: it pins others, and is the relay.
	Self string
	// Say tells how far it is.
	Say func(string)

	size  size
	times times
}

// size is how much there is of what there is much of.
type size struct{ keys, routes, idle int }

// times are how long everything is done.
type times struct{ warm, closed, open, paced, settle time.Duration }

func (c *Config) fill() {
	c.size = size{keys: 100_000, routes: 10_000, idle: 10_000}
	// Turns are short, and many: a machine that others have a share in is twice as fast for some seconds as for others.
	c.times = times{warm: 200 * time.Millisecond, closed: 700 * time.Millisecond, open: time.Second, paced: 2 * time.Second, settle: 2 * time.Second}
	if c.Inspection {
		c.size = size{keys: 1}
	}
	if c.Quick && !c.Inspection {
		c.size = size{keys: 5_000, routes: 500, idle: 1_000}
		c.times = times{
			warm: 100 * time.Millisecond, closed: 300 * time.Millisecond, open: 300 * time.Millisecond, paced: 500 * time.Millisecond, settle: 300 * time.Millisecond,
		}
	}
}

// bench is a measurement under way.
type bench struct {
	cfg      Config
	layout   layout
	fixture  *peers.Fixture
	product  *gateway.Gateway
	gateways []peers.Gateway // Sallyport first
	missing  []string        // peers that aren't there
	trust    *tls.Config
	ends     []func() error
}

// Run measures the scenarios. When ctx ends meanwhile it returns what it has.
func Run(ctx context.Context, cfg Config) (_ *report.Report, failed error) {
	cfg.fill()
	b, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { failed = errors.Join(failed, b.end()) }()
	chosen, err := choose(b.catalogue(), cfg.Only)
	if err != nil {
		return nil, err
	}
	made := &report.Report{Notes: append(peers.Versions(ctx), b.missing...)}
	for _, s := range chosen {
		cfg.Say(s.title)
		found, err := b.compare(ctx, s)
		if ctx.Err() != nil {
			err = errTime
		}
		if err != nil {
			made.Notes = append(made.Notes, fmt.Sprintf("%s: not measured: %v.", s.title, err))
			cfg.Say(err.Error())
		} else {
			made.Scenarios = append(made.Scenarios, found)
		}
		made.Expectations = append(made.Expectations, expectations(s, found, err)...)
	}
	return made, nil
}

// choose picks the scenarios that were named.
func choose(all []*scenario, only []string) ([]*scenario, error) {
	if len(only) == 0 {
		return all, nil
	}
	var names []string
	var chosen []*scenario
	for _, s := range all {
		names = append(names, s.name)
		if slices.Contains(only, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no scenario %q: there are %s", name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// expectations sets beside each other what was expected of a scenario and what was found.
func expectations(s *scenario, found report.Scenario, err error) (all []report.Expectation) {
	for _, e := range s.expects {
		measured := "not measured"
		for _, r := range found.Rows {
			switch {
			case err != nil || r.Name != e.of:
			case r.Lacks != "":
				measured = r.Lacks
			default:
				measured = e.measured(r)
			}
		}
		all = append(all, report.Expectation{What: e.what, Expected: e.expected, Measured: measured})
	}
	return all
}

// open starts what all scenarios share; b.end ends it.
func open(ctx context.Context, cfg Config) (b *bench, failed error) {
	available, err := machine.Available()
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	b = &bench{cfg: cfg}
	if b.layout, err = layOut(available); err != nil {
		return nil, err
	}
	if err := machine.Stay(b.layout.clients); err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, b.end())
		}
	}()
	service, err := origin.Start(ctx)
	if err != nil {
		return b, err //nolint:wrapcheck // says what
	}
	b.ends = append(b.ends, func() error { service.Close(); return nil })
	dir, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return b, fmt.Errorf("make a folder: %w", err)
	}
	b.ends = append(b.ends, func() error { return os.RemoveAll(dir) })
	if err := b.prepare(dir, service.Address); err != nil {
		return b, err
	}
	cfg.Say(fmt.Sprintf("starting a stack with %d keys", cfg.size.keys))
	if b.product, err = gateway.Start(ctx, b.fixture, cfg.size.keys); err != nil {
		return b, err //nolint:wrapcheck // says what
	}
	b.ends = append(b.ends, b.product.Close)
	found, missing := peers.Found(b.fixture)
	b.gateways = append([]peers.Gateway{b.product.In(b.fixture)}, found...)
	b.missing = missing
	return b, nil
}

// end ends what was started, the last first.
func (b *bench) end() error {
	var failed []error
	for _, end := range slices.Backward(b.ends) {
		failed = append(failed, end())
	}
	b.ends = nil
	return errors.Join(failed...)
}

// prepare makes the fixture.
func (b *bench) prepare(dir, service string) error {
	certificate, err := peers.NewCertificate(peers.Host(peers.Secure))
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate.Chain))
	b.trust = &tls.Config{
		RootCAs: roots, ServerName: peers.Host(peers.Secure), MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
	}
	b.fixture = &peers.Fixture{
		Dir: dir, Origin: service, Routes: b.cfg.size.routes, Certificate: certificate, Relay: []string{b.cfg.Self, RelayCommand},
		Pinned: func(processors []int) []string {
			return []string{b.cfg.Self, PinCommand, strings.Trim(strings.ReplaceAll(fmt.Sprint(processors), " ", ","), "[]")}
		},
	}
	return nil
}

// Commands of the program that gateways are started by: PinCommand takes processors (with commas between) and a command, RelayCommand an address to listen on and one
// to pass on to.
const (
	PinCommand   = "pin"
	RelayCommand = "relay"
)

// compare lets the contestants of a scenario take turns.
func (b *bench) compare(ctx context.Context, s *scenario) (_ report.Scenario, failed error) {
	found := report.Scenario{Title: s.title, About: s.about, Unit: s.unit, Base: s.base}
	if s.prepare != nil {
		if err := s.prepare(ctx); err != nil {
			return found, err
		}
	}
	// Those that run are stopped even when time is up.
	all := make([]entrant, len(s.contestants))
	for i := range all {
		all[i] = entrant{contestant: s.contestants[i], lacks: s.contestants[i].gateway.Lacks(s.site)}
	}
	defer func() {
		for i := range all {
			failed = errors.Join(failed, all[i].stop(ctx))
		}
	}()
	var paced float64
	rounds := b.cfg.Rounds
	if s.rounds > 0 {
		rounds = min(rounds, s.rounds)
	}
	for round := range rounds {
		for i := range all {
			if err := b.turn(ctx, s, &all[i], &paced); err != nil {
				return found, err
			}
		}
		b.cfg.Say(fmt.Sprintf("%s: round %d of %d", s.name, round+1, rounds))
	}
	var clients []float64
	base := baseOf(s, all)
	for _, e := range all {
		found.Rows = append(found.Rows, e.row(base))
		clients = append(clients, each(e.samples, func(s sample) float64 { return s.clients })...)
		if err := failure(e.samples); err != nil && e.lacks == "" {
			found.Notes = append(found.Notes, fmt.Sprintf("The first that failed at %s: %v.", e.name, err))
		}
	}
	if spent := median(clients); spent > 0 {
		found.Notes = append(found.Notes, fmt.Sprintf("Clients and service took %.1f µs per %s, on the other processor.", spent, s.unit))
	}
	if s.finish != nil {
		if err := s.finish(ctx, &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

func baseOf(s *scenario, all []entrant) []sample {
	for _, e := range all {
		if e.name == s.base && e.lacks == "" {
			return e.samples
		}
	}
	return nil
}

// entrant is a contestant in its scenario.
type entrant struct {
	contestant
	lacks   string
	running peers.Running
	samples []sample
}

func (e *entrant) row(base []sample) report.Row {
	if e.lacks != "" {
		return report.Row{Name: e.name, Lacks: e.lacks}
	}
	return row(e.name, e.samples, base)
}

func (e *entrant) stop(ctx context.Context) error {
	if e.running == nil {
		return nil
	}
	running := e.running
	e.running = nil
	return running.Stop(ctx) //nolint:wrapcheck // says which
}

// turn lets an entrant take its turn. One that can't is out, and its row says why; only an end of the whole is an error.
func (b *bench) turn(ctx context.Context, s *scenario, e *entrant, paced *float64) error {
	if e.lacks != "" {
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
	taken, err := b.sample(ctx, s, e, paced)
	if ctx.Err() != nil {
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
	if err != nil {
		e.lacks = "can't: " + err.Error()
		b.cfg.Say(e.name + " " + e.lacks)
		return e.stop(ctx)
	}
	e.samples = append(e.samples, taken)
	if s.fresh {
		return e.stop(ctx)
	}
	return nil
}

// sample starts an entrant unless it runs, and measures it.
func (b *bench) sample(ctx context.Context, s *scenario, e *entrant, paced *float64) (_ sample, err error) {
	if e.running == nil {
		if e.running, err = e.gateway.Start(ctx, e.setup); err != nil {
			return sample{}, err //nolint:wrapcheck // says which
		}
	}
	site, protocol, length := s.site, s.protocol, b.cfg.times
	if e.protocol != nil {
		site, protocol = e.site, e.protocol
	}
	if s.times != nil {
		length = *s.times
	}
	t := turn{
		scenario: s, times: length, running: e.running, protocol: protocol(b.target(e.running, site)), threads: e.setup.Threads,
		paced: paced, alongside: e.alongside,
	}
	return t.take(ctx)
}

func (b *bench) target(running peers.Running, site peers.Site) load.Target {
	target := load.Target{Address: running.At(site)}
	if site == peers.Secure {
		target.TLS = b.trust
	}
	return target
}
