package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// life is how long certificates live in this story: half of it, and its end, come soon.
const life = 10 * time.Second

const streamsOpened = "sallyport_edge_lane_states_total"

// An edge lives on over the end of its certificates: it renews them while its streams go on, is told to connect anew when
// the old one ends, and comes back without a join token when one ended while it was away. No request notices.
func TestAnEdgeOutlivesItsCertificates(t *testing.T) {
	t.Parallel()
	s := shortLived(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	edge := s.Edges()[0]
	asking := ask(t, s, edge, p.Key.Key)
	before := status(t, edge)
	streams := func() float64 { return s.Metrics(edge).Sum(streamsOpened, `event="streams"`) }
	opened := streams()

	awaitStatus(t, edge, "a renewed certificate", func(now harness.Status) bool {
		return now.CertificateExpiresAt.After(before.CertificateExpiresAt)
	})
	if now := status(t, edge); time.Now().Before(before.CertificateExpiresAt) && (!now.Connected || streams() != opened) {
		t.Errorf("the streams did not live on: %+v", now)
	}
	awaitStatus(t, edge, "streams with the renewed certificate", func(now harness.Status) bool {
		return now.Connected && streams() >= opened+2
	})
	if ended := time.Since(before.CertificateExpiresAt); ended < 0 {
		t.Errorf("the streams ended %v before their certificate", -ended)
	}
	if err := asking(); err != nil {
		t.Error(err)
	}

	if err := edge.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	nodes, err := s.Environment.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 10*life, func() error {
		if left := time.Until(nodes[0].CertificateExpiresAt.Add(time.Second)); left > 0 {
			return fmt.Errorf("the certificate lives for %v more", left)
		}
		return nil
	})
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// It serves from its disk at once, and renews meanwhile.
	awaitStatus(t, edge, "certificate of the same node", func(after harness.Status) bool {
		return after.Node == before.Node && after.CertificateExpiresAt.After(time.Now())
	})
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Revoke(p.Key)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

// shortLived returns a story with one edge, on a stack of its own whose certificates live for a short time.
func shortLived(t *testing.T) *harness.Story {
	t.Helper()
	own, err := harness.Start(t.Context(), harness.Config{ControlArgs: []string{"--node-certificate-life", life.String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	return own.OwnStory(t, 1, harness.Loopback)
}

func awaitStatus(t *testing.T, edge *harness.Edge, what string, is func(harness.Status) bool) {
	t.Helper()
	harness.Eventually(t, 10*life, func() error {
		if now := status(t, edge); !is(now) {
			return fmt.Errorf("%s has no %s: %+v", edge.Name, what, now)
		}
		return nil
	})
}

// ask asks an edge for what it allows, again and again, until the returned function is called: that says what failed.
func ask(t *testing.T, s *harness.Story, edge *harness.Edge, key string) (end func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var first error
		for n := 1; ctx.Err() == nil; n++ {
			<-tick.C
			answer, err := edge.Do(context.WithoutCancel(ctx), harness.Request{Path: "/", Host: s.Host, Header: harness.WithKey(key)})
			if first == nil && (err != nil || answer.Status != http.StatusOK) {
				first = fmt.Errorf("request %d: %w", n, errors.Join(err, errors.New(answer.String())))
			}
		}
		failed <- first
	}()
	return func() error {
		stop()
		return <-failed
	}
}
