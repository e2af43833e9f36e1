package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/bench/peers"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// Name is what it is called in tables.
	Name = "Sallyport"

	serviceName     = "origin"
	keysOfOne       = 4     // consumer
	keyBatchSize    = 2_500 // within the API's time for one, on a machine of two busy processors too
	routeBatchSize  = 1_000
	secureFlag      = "listen-tls"
	certificateName = "bench"
)

// Gateway is Sallyport.
type Gateway struct {
	stack       *harness.Stack
	environment *harness.Environment
	lacks       map[peers.Site]string
	routes      int
	inspects    bool
}

// Start starts a stack without edges, and writes what all sites but the one with many routes need. It makes the fixture's keys.
func Start(ctx context.Context, of *peers.Fixture, keys int) (_ *Gateway, failed error) {
	stack, err := harness.Start(ctx, harness.Config{})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	g := &Gateway{stack: stack, lacks: map[peers.Site]string{}}
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, g.Close())
		}
	}()
	if g.environment, err = stack.NewEnvironment(ctx, 0, harness.Loopback); err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	if err := g.prepare(ctx, of); err != nil {
		return nil, err
	}
	if err := g.secure(ctx, of); err != nil {
		return nil, err
	}
	of.Keys, err = g.makeKeys(ctx, keys)
	return g, err
}

// Close ends the stack.
func (g *Gateway) Close() error {
	var failed []error
	if g.environment != nil {
		failed = append(failed, g.environment.Close())
	}
	failed = append(failed, g.stack.Close())
	_ = os.Remove(g.stack.LogFile()) // scratch
	return errors.Join(failed...)
}

// write applies a batch.
func (g *Gateway) write(ctx context.Context, operations ...sallyport.Operation) (*sallyport.ChangesResponse, error) {
	made, err := g.stack.API.ApplyChangesWithResponse(ctx, g.environment.Name, nil, sallyport.ChangesRequest{Operations: operations})
	if err := sallyport.Check(made, err); err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	return made.JSON200, nil
}

func create(collection string, body map[string]any) sallyport.Operation {
	return sallyport.Operation{Action: "create", Collection: collection, Body: body}
}

// prepare makes the sites: one host each.
func (g *Gateway) prepare(ctx context.Context, of *peers.Fixture) error {
	operations := []sallyport.Operation{
		create("services", map[string]any{"name": serviceName, "upstream": map[string]any{"targets": []any{map[string]any{"address": of.Origin}}}}),
	}
	for _, site := range []peers.Site{peers.Plain, peers.Keyed, peers.Secure, peers.Sockets} {
		operations = append(operations, create("routes", map[string]any{
			"name": string(site), "service": serviceName, "hosts": []any{peers.Host(site)}, "paths": []any{map[string]any{"prefix": "/"}},
			"public": site != peers.Keyed,
		}))
	}
	keyed := []any{map[string]any{"route": string(peers.Keyed)}}
	operations = append(operations,
		create("policies", map[string]any{"name": "keys", "kind": "api-key", "attached_to": keyed, "config": map[string]any{}}),
		create("policies", map[string]any{
			"name": "limit", "kind": "rate-limit", "attached_to": keyed, "config": map[string]any{
				"by":          []any{map[string]any{"key": true}},
				"windows":     []any{map[string]any{"requests": 1_000_000, "window": "1s"}},
				"max_callers": 1 << 17, // more than there are keys: none shares a bucket
			},
		}))
	if _, err := g.write(ctx, operations...); err != nil {
		return fmt.Errorf("make the sites: %w", err)
	}
	return nil
}

// secure gives the gateway its certificate, if the edge that was built speaks TLS.
func (g *Gateway) secure(ctx context.Context, of *peers.Fixture) error {
	help, _ := g.stack.RunEdge(ctx, nil, "serve", "-h") // asking for help is an error to package flag
	if !strings.Contains(help, "-"+secureFlag) {
		g.lacks[peers.Secure] = "not yet"
		return nil
	}
	_, err := g.write(ctx,
		create("secrets", map[string]any{"name": certificateName, "value": of.Certificate.Key}),
		create("certificates", map[string]any{
			"name": certificateName, "chain": of.Certificate.Chain, "private_key": certificateName, "hosts": []any{peers.Host(peers.Secure)},
		}))
	if err != nil {
		return fmt.Errorf("give the gateway its certificate: %w", err)
	}
	return nil
}

// makeKeys makes API keys, and returns them.
func (g *Gateway) makeKeys(ctx context.Context, count int) ([]string, error) {
	keys := make([]string, 0, count)
	var operations []sallyport.Operation
	for n := range count {
		consumer := fmt.Sprintf("consumer-%d", n/keysOfOne)
		if n%keysOfOne == 0 {
			operations = append(operations, create("consumers", map[string]any{"name": consumer}))
		}
		operations = append(operations, create("api-keys", map[string]any{"name": fmt.Sprintf("key-%d", n), "consumer": consumer}))
		if len(operations) < keyBatchSize-1 && n < count-1 {
			continue
		}
		made, err := g.write(ctx, operations...)
		if err != nil {
			return nil, fmt.Errorf("make keys up to the %d.: %w", n, err)
		}
		for _, result := range made.Results {
			if key, ok := result.Object["key"].(string); ok {
				keys = append(keys, key)
			}
		}
		operations = operations[:0]
	}
	if len(keys) != count {
		return nil, fmt.Errorf("%d keys were made and %d told", count, len(keys))
	}
	return keys, nil
}

// Lacks says why it can't be measured at a site; "": it can.
func (g *Gateway) Lacks(site peers.Site) string { return g.lacks[site] }

// AddRoutes makes the site that has many routes.
func (g *Gateway) AddRoutes(ctx context.Context, count int) error {
	for g.routes < count {
		var operations []sallyport.Operation
		for ; g.routes < count && len(operations) < routeBatchSize; g.routes++ {
			operations = append(operations, create("routes", map[string]any{
				"name": fmt.Sprintf("service-%d", g.routes), "service": serviceName, "hosts": []any{peers.Host(peers.Routed)},
				"paths": []any{map[string]any{"prefix": fmt.Sprintf("/service-%d", g.routes)}}, "public": true,
			}))
		}
		if _, err := g.write(ctx, operations...); err != nil {
			return fmt.Errorf("make routes up to the %d.: %w", g.routes, err)
		}
	}
	return nil
}

// AddInspection makes the site that inspects requests, once: by the same rules as the peers', with a budget that nobody reaches.
func (g *Gateway) AddInspection(ctx context.Context) error {
	if g.inspects {
		return nil
	}
	name := string(peers.Inspected)
	plenty := map[string]any{"per_address": "600s", "per_credential": "600s", "refill": "1s"}
	_, err := g.write(ctx,
		create("routes", map[string]any{
			"name": name, "service": serviceName, "hosts": []any{peers.Host(peers.Inspected)}, "paths": []any{map[string]any{"prefix": "/"}}, "public": true,
		}),
		create("policies", map[string]any{
			"name": name, "kind": "waf", "attached_to": []any{map[string]any{"route": name}}, "config": map[string]any{"budget": plenty},
		}))
	if err != nil {
		return fmt.Errorf("make the site that inspects: %w", err)
	}
	g.inspects = true
	return nil
}

// Revise makes a revision each time that an interval has passed until ctx ends, and returns how many. The first of them that fails ends it.
func (g *Gateway) Revise(ctx context.Context, every time.Duration) (made int, _ error) {
	clock := time.NewTicker(every)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return made, nil
		case <-clock.C:
		}
		patched, err := g.stack.API.PatchServiceWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, g.environment.Name, serviceName, nil,
			map[string]any{"description": fmt.Sprintf("revised at %s", time.Now())})
		if ctx.Err() != nil {
			return made, nil
		}
		if err := sallyport.Check(patched, err); err != nil {
			return made, fmt.Errorf("the %d. revision: %w", made+1, err)
		}
		made++
	}
}

// In returns the gateway as those that it is compared with.
func (g *Gateway) In(of *peers.Fixture) peers.Gateway { return &contestant{Gateway: g, of: of} }

type contestant struct {
	*Gateway
	of *peers.Fixture
}

func (c *contestant) Name() string { return Name }

// Start starts an edge that is new.
func (c *contestant) Start(ctx context.Context, setup peers.Setup) (peers.Running, error) {
	edge, err := c.Launch(ctx, c.of, setup)
	if err != nil {
		return nil, err // and no edge in the interface
	}
	return edge, nil
}

// Launch starts an edge that is new.
func (g *Gateway) Launch(ctx context.Context, of *peers.Fixture, setup peers.Setup) (*Edge, error) {
	args := []string{"-access-log=" + strconv.FormatBool(setup.AccessLog)}
	if setup.Profiles {
		args = append(args, "-profiles")
	}
	if setup.Inspected {
		args = append(args, "-inspection-share=1") // it is measured at all that it can do
	}
	secure := ""
	if g.lacks[peers.Secure] == "" {
		var err error
		if secure, err = harness.FreeAddress(); err != nil {
			return nil, err //nolint:wrapcheck // says what
		}
		args = append(args, "-"+secureFlag, secure)
	}
	edge, err := g.environment.LaunchEdge(ctx, harness.Launch{
		Within: of.Pinned(setup.Processors), Env: []string{"GOMAXPROCS=" + strconv.Itoa(setup.Threads)}, Args: args,
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // says which
	}
	e := &Edge{environment: g.environment, edge: edge, secure: secure}
	if err := g.environment.AwaitConnected(ctx); err != nil {
		return nil, errors.Join(err, e.Stop(ctx))
	}
	return e, nil
}

// Edge is a running one.
type Edge struct {
	environment *harness.Environment
	edge        *harness.Edge
	secure      string
}

// PID is its process.
func (e *Edge) PID() int { return e.edge.PID() }

// At is where a site is: the host tells them apart.
func (e *Edge) At(site peers.Site) string {
	if site == peers.Secure {
		return e.secure
	}
	return strings.TrimPrefix(e.edge.URL, "http://")
}

const stopBound = 30 * time.Second

// Stop ends it for good.
func (e *Edge) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopBound)
	defer cancel()
	return e.environment.Dismiss(ctx, e.edge) //nolint:wrapcheck // says which
}

// Profile asks a profiled edge where its processor time goes, for that long, in the form that the compiler takes.
func (e *Edge) Profile(ctx context.Context, d time.Duration) ([]byte, error) {
	got, err := e.edge.Operate(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(d.Seconds())))
	if err != nil || got.Status != 200 {
		return nil, errors.Join(fmt.Errorf("the profile of %s: %s", e.edge.Name, got), err)
	}
	return got.Body, nil
}

// Waits asks a profiled edge who has waited for a mutex.
func (e *Edge) Waits(ctx context.Context) (Waits, error) {
	got, err := e.edge.Operate(ctx, "/debug/pprof/mutex?debug=1")
	if err != nil || got.Status != 200 {
		return nil, errors.Join(fmt.Errorf("the mutex profile of %s: %s", e.edge.Name, got), err)
	}
	return parseWaits(string(got.Body))
}
