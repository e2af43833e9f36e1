package chaos

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const rotationBound = 5 * time.Minute

// Every key that the product lives on is replaced while two edges are asked and written to all the time, and a third is
// down. No request and no write fails, revocations reach the edges behind each rotation, the third edge catches up
// when it comes back, and an edge begins off its disk, the control plane dead, with what a retired key signed.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	own, err := harness.Start(t.Context(), harness.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	s := own.OwnStory(t, 3, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	r := rotations{t, s, p}
	serving, away := s.Edges()[:2], s.Edges()[2]
	first := r.key() // dead by the time that the third edge comes back
	if err := away.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := []*traffic{run(t, s, serving[0], p.Key.Key), run(t, s, serving[1], p.Key.Key)}
	writing := r.write()

	r.rotate("signing")
	r.await("signing", "retired")
	r.revocationWorks(serving)
	before := r.certificates(serving)
	r.rotate("authority")
	r.await("authority", "active") // not retired: the third edge could still renew what the old one issued
	r.renewed(serving, before)
	r.revocationWorks(serving)
	r.command("rotate", "pepper", "-environment", s.Environment.Name)
	r.revocationWorks(serving)
	r.rotate("bus")
	r.await("bus", "active")
	r.revocationWorks(serving)
	r.revoke(first, serving)
	if again, err := own.Control(t.Context(), "rotate", "bus"); err == nil || !strings.Contains(err.Error(), "is under way since") {
		t.Errorf("a second rotation beside the first: %q, %v", again, err)
	}

	if err := away.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Expect(away, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	r.refuses(away, first)
	r.await("authority", "retired")
	r.await("bus", "retired")
	r.revocationWorks(s.Edges())
	if status := r.command("rotate", "status"); strings.Contains(status, "node ") {
		t.Errorf("nodes lack something:\n%s", status)
	}
	for _, edge := range s.Edges() {
		harness.Eventually(t, rotationBound, func() error { // with the new credential
			if s.Metrics(edge).Sum("sallyport_edge_bus_connected") != 1 {
				return fmt.Errorf("%s has no bus", edge.Name)
			}
			return nil
		})
	}
	if failed := writing(); failed != nil {
		t.Error(failed)
	}
	for _, traffic := range asked {
		traffic.progress(t, 50)
		traffic.end()
		traffic.check(t)
	}

	if err := own.KillControl(); err != nil {
		t.Fatal(err)
	}
	if err := serving[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := serving[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Expect(serving[0], "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(serving[0], "/", harness.WithKey(first.Key), http.StatusUnauthorized, "credential_invalid")
	if err := own.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rotations is what the story does again and again.
type rotations struct {
	t *testing.T
	s *harness.Story
	p harness.Protected
}

func (r rotations) command(args ...string) string {
	r.t.Helper()
	said, err := r.s.Environment.Stack.Control(r.t.Context(), args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return said
}

func (r rotations) rotate(kind string) { r.t.Helper(); r.command("rotate", kind) }

// await returns once the newest rotation of a kind is as far.
func (r rotations) await(kind, phase string) {
	r.t.Helper()
	line := regexp.MustCompile(`(?m)^` + kind + `: (\w+),`)
	harness.Eventually(r.t, rotationBound, func() error {
		status := r.command("rotate", "status")
		if found := line.FindStringSubmatch(status); len(found) != 2 || found[1] != phase {
			return fmt.Errorf("the rotation isn't %s:\n%s", phase, status)
		}
		return nil
	})
}

func (r rotations) key() sallyport.APIKey {
	r.t.Helper()
	return r.s.Key(sallyport.APIKey{Consumer: r.p.Consumer.Name})
}

// revocationWorks makes a key, which works, and revokes it.
func (r rotations) revocationWorks(edges []*harness.Edge) {
	r.t.Helper()
	made, err := r.s.API.CreateAPIKeyWithResponse(r.t.Context(), r.s.Environment.Name, &sallyport.CreateAPIKeyParams{Wait: r.s.Wait()}, sallyport.APIKey{Consumer: r.p.Consumer.Name})
	r.s.Must(made, err)
	for _, edge := range edges {
		r.s.Expect(edge, "/", harness.WithKey(made.JSON201.Key), http.StatusOK, "")
	}
	r.revoke(*made.JSON201, edges)
}

func (r rotations) revoke(key sallyport.APIKey, edges []*harness.Edge) {
	r.t.Helper()
	gone, err := r.s.API.DeleteAPIKeyWithResponse(r.t.Context(), r.s.Environment.Name, key.ID, &sallyport.DeleteAPIKeyParams{Wait: r.s.Wait()})
	r.s.Must(gone, err)
	for _, edge := range edges {
		r.refuses(edge, key)
	}
}

func (r rotations) refuses(edge *harness.Edge, key sallyport.APIKey) {
	r.t.Helper()
	r.s.Expect(edge, "/", harness.WithKey(key.Key), http.StatusUnauthorized, "credential_invalid")
}

func (r rotations) certificates(edges []*harness.Edge) []time.Time {
	r.t.Helper()
	ends := make([]time.Time, len(edges))
	for i, edge := range edges {
		status, err := edge.Status(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		ends[i] = status.CertificateExpiresAt
	}
	return ends
}

// renewed returns once each edge has another certificate.
func (r rotations) renewed(edges []*harness.Edge, before []time.Time) {
	r.t.Helper()
	harness.Eventually(r.t, rotationBound, func() error {
		for i, end := range r.certificates(edges) {
			if !end.After(before[i]) {
				return fmt.Errorf("%s has its certificate from before", edges[i].Name)
			}
		}
		return nil
	})
}

// write writes all the time, until the returned function is called: that says what failed.
func (r rotations) write() (end func() error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.t.Context()))
	var failed error
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			made, err := r.s.API.CreateConsumerWithResponse(context.WithoutCancel(ctx), r.s.Environment.Name, nil, sallyport.Consumer{Name: r.s.Name(fmt.Sprint("written-", n))})
			if err := sallyport.Check(made, err); err != nil && failed == nil {
				failed = fmt.Errorf("write %d: %w", n, err)
			}
		}
	})
	end = func() error {
		stop()
		running.Wait()
		return failed
	}
	r.t.Cleanup(func() { _ = end() }) // told already
	return end
}
