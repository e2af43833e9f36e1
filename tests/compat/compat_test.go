package compat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// settled is within what a fleet is level again; the product promises a second.
	settled = time.Minute
	// progressBound is within what requests that are waited for are answered.
	progressBound = time.Minute
	// newCapability is what a node needs to know what the build before refuses.
	newCapability = 6
	// clientPause is between two requests of one client.
	clientPause = 4 * time.Millisecond
)

func TestEdgesOfTheBuildBeforeServeUnderThisControlPlane(t *testing.T) {
	programs := newMix(t, current)
	programs.take(t, base, edge)
	product := start(t, programs)
	works(t, product)
}

// What the build before doesn't know is refused for it, unless it is forced; then it says so itself, and serves on with what it has.
func TestAnEdgeOfTheBuildBeforeRefusesWhatItDoesNotKnowAndServesOn(t *testing.T) {
	programs := newMix(t, current)
	programs.take(t, base, edge)
	product := start(t, programs)
	s := product.Story(t)
	nodes, err := s.Environment.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if nodes[0].Capability >= newCapability {
		t.Skipf("the build before has capability %d: it knows what this story would have it refuse; give the story something newer", nodes[0].Capability)
	}
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	policy := sallyport.Policy{
		Name: s.Name("guard"), Kind: "json-guard", AttachedTo: []sallyport.Attachment{{Service: p.Service.Name}},
		Config: map[string]any{},
	}
	var refused *sallyport.Problem
	answer, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, policy)
	if err := sallyport.Check(answer, err); !errors.As(err, &refused) || refused.Code != "capability_missing" {
		t.Fatalf("what no node understands is answered %v", err)
	}

	force := true
	forced, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, &sallyport.CreatePolicyParams{Force: &force}, policy)
	s.Must(forced, err)
	revision := int64(s.Head().Revision)
	harness.Eventually(t, settled, func() error {
		got, err := s.API.GetRevisionStatusWithResponse(t.Context(), s.Environment.Name, revision)
		if err := sallyport.Check(got, err); err != nil {
			return err
		}
		status := got.JSON200
		for _, node := range status.Nodes {
			if node.State != "nacked" || len(node.Errors) == 0 || !strings.Contains(node.Errors[0].Message, "unknown field") {
				return fmt.Errorf("a node that doesn't understand revision %d is told as %+v", revision, node)
			}
		}
		if status.Nacked != len(s.Edges()) {
			return fmt.Errorf("the status of revision %d is %+v", revision, status)
		}
		return nil
	})
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.ExpectAll("/", nil, http.StatusUnauthorized, "credential_missing")
	revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID, nil)
	s.Must(revoked, err)
	harness.Eventually(t, settled, func() error { // the other lane goes on
		for _, e := range s.Edges() {
			if answer := s.Send(e, http.MethodGet, "/", harness.WithKey(p.Key.Key)); answer.Code() != "credential_invalid" {
				return fmt.Errorf("%s answers a revoked key %s", e.Name, answer)
			}
		}
		return nil
	})
}

func TestTheseEdgesServeUnderTheControlPlaneBefore(t *testing.T) {
	programs := newMix(t, current)
	programs.take(t, base, control)
	product := start(t, programs)
	works(t, product)
}

// The order that operators are told: control plane first, then one edge after the other. Database, state on disk, identities, the bus's
// streams and counts are the ones that the build before has made.
func TestAFleetIsUpgradedWithoutAFailedRequestOrALostCount(t *testing.T) {
	programs := newMix(t, base)
	product := start(t, programs)
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	early := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.Revoke(early)
	traffic := map[*harness.Edge]*traffic{}
	for _, e := range s.Edges() {
		traffic[e] = ask(t, s, e, p.Key.Key)
		traffic[e].progress(t, 50)
	}

	programs.take(t, current, control)
	if err := product.KillControl(); err != nil {
		t.Fatal(err)
	}
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	connected(t, s)
	works(t, product) // old edges, in the middle of the upgrade

	programs.take(t, current, edge)
	sent := 0
	for _, e := range s.Edges() {
		traffic[e].end(t)
		sent += int(traffic[e].answered.Load())
		if err := e.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Expect(e, "/", harness.WithKey(early.Key), http.StatusUnauthorized, "credential_invalid")
		traffic[e] = ask(t, s, e, p.Key.Key)
		traffic[e].progress(t, 50)
	}
	connected(t, s)
	for _, e := range s.Edges() {
		traffic[e].end(t)
		sent += int(traffic[e].answered.Load())
	}
	works(t, product)
	harness.Eventually(t, settled, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		key := harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}
		if usage[key] != sent {
			return fmt.Errorf("%d requests are counted, %d were answered", usage[key], sent)
		}
		return nil
	})
}

// start runs the product from these programs.
func start(t *testing.T, programs mix) *harness.Stack {
	t.Helper()
	product, err := harness.Start(t.Context(), harness.Config{Edges: 2, Bin: programs.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := product.Close(); err != nil {
			t.Error(err)
		}
	})
	return product
}

// works is what every mix of two builds must be able to do.
func works(t *testing.T, product *harness.Stack) {
	t.Helper()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	limited := s.Route(sallyport.Route{Name: s.Name("limited"), Service: p.Service.Name, Paths: harness.Below("/limited")})
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Route: limited.Name}, 2, "24h"))
	doomed := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.ExpectAll("/", nil, http.StatusUnauthorized, "credential_missing")
	s.ExpectAll("/", harness.WithKey(doomed.Key), http.StatusOK, "")
	s.Revoke(doomed)
	s.ExpectAll("/", harness.WithKey(doomed.Key), http.StatusUnauthorized, "credential_invalid")
	for range 2 {
		s.ExpectAll("/limited", harness.WithKey(p.Key.Key), http.StatusOK, "")
	}
	s.ExpectAll("/limited", harness.WithKey(p.Key.Key), http.StatusTooManyRequests, "rate_limited")

	edges := len(s.Edges())
	want := harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}:      2 * edges,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_missing"}:                    edges,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:                    edges,
		{Route: limited.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}:      2 * edges,
		{Route: limited.ID, Consumer: p.Consumer.ID, StatusClass: 4, Verdict: "rate_limited"}: edges,
	}
	harness.Eventually(t, settled, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		of := harness.Usage{}
		for key, n := range usage {
			if key.Route == p.Route.ID || key.Route == limited.ID {
				of[key] = n
			}
		}
		return of.Check(want)
	})
}

func connected(t *testing.T, s *harness.Story) {
	t.Helper()
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// traffic asks one edge, one request after the other; each must be answered with 200.
type traffic struct {
	edge     *harness.Edge
	answered atomic.Int64
	stop     context.CancelFunc
	running  sync.WaitGroup
	failed   atomic.Pointer[string]
}

func ask(t *testing.T, s *harness.Story, e *harness.Edge, key string) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &traffic{edge: e, stop: stop}
	w.running.Go(func() {
		tick := time.NewTicker(clientPause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			answer, err := e.Do(context.WithoutCancel(ctx), harness.Request{Path: "/", Host: s.Host, Header: harness.WithKey(key)})
			if err != nil || answer.Status != http.StatusOK {
				what := fmt.Sprintf("%v %s", err, answer)
				w.failed.CompareAndSwap(nil, &what)
				return
			}
			w.answered.Add(1)
		}
	})
	t.Cleanup(func() { stop(); w.running.Wait() })
	return w
}

// progress returns once this many more requests were answered.
func (w *traffic) progress(t *testing.T, more int64) {
	t.Helper()
	want := w.answered.Load() + more
	harness.Eventually(t, progressBound, func() error {
		if got := w.answered.Load(); got < want && w.failed.Load() == nil {
			return fmt.Errorf("%s has answered %d requests, %d are waited for", w.edge.Name, got, want)
		}
		return nil
	})
}

// end stops asking, and fails the test when a request failed.
func (w *traffic) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.running.Wait()
	if failed := w.failed.Load(); failed != nil {
		t.Fatalf("a request to %s failed after %d: %s", w.edge.Name, w.answered.Load(), *failed)
	}
}
