package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	staleMetric = "sallyport_edge_stale"
	// staleBound is how long a node is waited for to become stale, or fresh again; the limit is the least there is, 10 s.
	staleBound = 2 * time.Minute
)

// Without the control plane nobody knows whether a key was revoked. An environment may say for how long that is bearable.
func TestRoutesThatAuthenticateStopOnceTheControlPlaneIsDeadForTooLong(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	target := events(t)
	p := s.Protected(target)
	open := s.Route(sallyport.Route{
		Name: s.Name("open"), Service: s.Service("open", target).Name,
		Hosts: []string{"open." + s.Host}, Paths: harness.Below("/"), Public: true,
	})
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, MaxStaleness: "10s"})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
	edge := s.Edges()[0]
	goesOn := func() {
		t.Helper()
		if answer := s.SendTo(edge, http.MethodGet, "/", open.Hosts[0], nil); answer.Status != http.StatusOK {
			t.Fatalf("a public route: %s", answer)
		}
	}
	await(t, s, edge, p.Key.Key, http.StatusOK, "")
	ended := follow(t, s, edge, p.Key.Key)

	kill(t)

	await(t, s, edge, p.Key.Key, http.StatusServiceUnavailable, "configuration_stale")
	if got := s.Send(edge, http.MethodGet, "/", harness.WithKey(p.Key.Key)).Header.Get("Retry-After"); got == "" {
		t.Error("nobody is told when to try again")
	}
	goesOn()
	select {
	case err := <-ended:
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the stream opened before ended with %v, want it cut off", err)
		}
	case <-time.After(staleBound):
		t.Error("the stream opened before goes on")
	}
	if status, err := edge.Status(t.Context()); err != nil || !status.Stale {
		t.Errorf("its status: %+v, %v", status, err)
	}
	if s.Metrics(edge).Sum(staleMetric) != 1 {
		t.Errorf("%s isn't 1", staleMetric)
	}

	for how, end := range map[string]func() error{"stopped": func() error { return edge.Stop(t.Context()) }, "killed": edge.Kill} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(p.Key.Key)); answer.Code() != "configuration_stale" {
			t.Errorf("%s and started again while it is stale, it answers %s", how, answer)
		}
		goesOn()
	}

	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, s, edge, p.Key.Key, http.StatusOK, "")
	if status, err := edge.Status(t.Context()); err != nil || status.Stale {
		t.Errorf("its status: %+v, %v", status, err)
	}
}

// await returns once the edge answers like this.
func await(t *testing.T, s *harness.Story, edge *harness.Edge, key string, status int, code string) {
	t.Helper()
	harness.Eventually(t, staleBound, func() error {
		answer, err := edge.Do(t.Context(), harness.Request{Path: "/", Host: s.Host, Header: harness.WithKey(key)})
		if err == nil && (answer.Status != status || answer.Code() != code) {
			err = fmt.Errorf("%s; want %d %s", answer, status, code)
		}
		return err
	})
}

// events is a service that answers at once, but for streams, which never end.
func events(t *testing.T) string {
	t.Helper()
	return harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/events" {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})).Address
}

// follow opens a stream, and returns how it ends.
func follow(t *testing.T, s *harness.Story, edge *harness.Edge, key string) <-chan error {
	t.Helper()
	ctx, leave := context.WithTimeout(t.Context(), 2*staleBound)
	t.Cleanup(leave)
	answer, err := edge.Stream(ctx, harness.Request{Path: "/events", Host: s.Host, Header: harness.WithKey(key)})
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(answer.Body)
	if answer.StatusCode != http.StatusOK || !lines.Scan() {
		t.Fatalf("the stream was answered %d, %v", answer.StatusCode, lines.Err())
	}
	ended := make(chan error, 1)
	go func() {
		defer answer.Body.Close()
		for lines.Scan() { // until it ends
			continue
		}
		ended <- lines.Err()
	}()
	return ended
}
