package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// The service writes its next event only when the client has the one before: a gateway that kept any back would stop the
// test for good.
func TestEventsOfAStreamPassAtOnce(t *testing.T) {
	t.Parallel()
	const events = 5
	s := product.Story(t)
	received := make(chan struct{})
	p := s.Protected(harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range events {
			if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-received:
			case <-r.Context().Done():
				return
			}
		}
	})).Address)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := s.Edges()[0].Open(ctx, harness.Request{Path: "/events", Host: s.Host, Header: harness.WithKey(p.Key.Key)})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if stream.StatusCode != http.StatusOK || stream.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream was answered %d, %v", stream.StatusCode, stream.Header)
	}
	lines := bufio.NewScanner(stream.Body)
	for n := range events {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", n) || !lines.Scan() || lines.Text() != "" {
			t.Fatalf("event %d reads %q, %v", n, lines.Text(), lines.Err())
		}
		received <- struct{}{}
	}
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the last event came %q, %v", lines.Text(), lines.Err())
	}
}

// A client that leaves must not keep the service busy.
func TestAStreamEndsAtTheServiceWhenTheClientLeaves(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	gone := make(chan struct{})
	p := s.Protected(harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, strings.Repeat(": padding\n", 8)+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})).Address)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	stream, err := s.Edges()[0].Open(ctx, harness.Request{Path: "/events", Host: s.Host, Header: harness.WithKey(p.Key.Key)})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := stream.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	leave()

	select {
	case <-gone:
	case <-time.After(30 * time.Second):
		t.Error("the service still works for a client that left")
	}
}
