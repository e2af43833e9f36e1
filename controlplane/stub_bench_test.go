package controlplane_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// retryPause is between two attempts of a stub to reach the control plane; nodes begin with the same.
const retryPause = 100 * time.Millisecond

// stubs are nodes without a data plane, in this process: each verifies what comes, applies it, acks it, and comes back when its stream ends.
type stubs struct {
	b *testing.B

	mu    sync.Mutex
	moved *sync.Cond
	at    []follower // two of each node: configuration, directory
}

// follower is what is known of one stream.
type follower struct {
	number  uint64
	history []reached // of the directory, newest last
	heard   time.Time // when it was first told that it is current since forget; zero: not yet
}

type reached struct {
	number uint64
	at     time.Time
}

// keptHistory bounds what is remembered of a stream.
const keptHistory = 64

// fleet enrols nodes, and returns once all are current.
func (p *plane) fleet(n int) *stubs {
	p.b.Helper()
	f := &stubs{b: p.b, at: make([]follower, 2*n)}
	f.moved = sync.NewCond(&f.mu)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	p.b.Cleanup(func() { cancel(); running.Wait() })
	for i := range n {
		node := p.enrol(ctx, fmt.Sprintf("n%d", i))
		p.b.Cleanup(node.Close)
		for j, lane := range []edgev1.Lane{edgev1.Lane_LANE_CONFIGURATION, edgev1.Lane_LANE_DIRECTORY} {
			running.Go(func() { f.keep(ctx, node, node.Replica(lane), 2*i+j) })
		}
	}
	f.heard()
	return f
}

// enrol enrols a stub, as fast as the control plane lets new ones in.
func (p *plane) enrol(ctx context.Context, name string) *edgetest.Node {
	p.b.Helper()
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for {
		node, err := edgetest.Enroll(ctx, p.at.Edge, p.join, name)
		if err == nil {
			return node
		}
		if status.Code(err) != codes.ResourceExhausted {
			p.b.Fatal(err)
		}
		<-pause.C
	}
}

// keep follows a lane again and again.
func (f *stubs) keep(ctx context.Context, node *edgetest.Node, r *edgetest.Replica, slot int) {
	lane := edgev1.Lane_LANE_CONFIGURATION
	if slot%2 == 1 {
		lane = edgev1.Lane_LANE_DIRECTORY
	}
	pause := time.NewTicker(retryPause)
	defer pause.Stop()
	for ctx.Err() == nil {
		if stream, err := node.Open(ctx, lane, r.Hello()); err == nil {
			f.follow(stream, r, slot)
			stream.Close()
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// follow takes what a stream says until it ends.
func (f *stubs) follow(stream *edgetest.Stream, r *edgetest.Replica, slot int) {
	for {
		event, err := stream.Next()
		if err != nil {
			return
		}
		if err := stream.Apply(r, event); err != nil {
			f.b.Errorf("a stub can't apply what it was sent: %v", err)
			return
		}
		f.note(slot, r.Number)
		if !event.Beat && stream.Ack(r) != nil {
			return
		}
	}
}

func (f *stubs) note(slot int, number uint64) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	at := &f.at[slot]
	if at.heard.IsZero() {
		at.heard = now
	}
	if number > at.number || len(at.history) == 0 {
		at.history = append(at.history, reached{number, now})
		if len(at.history) > keptHistory {
			at.history = at.history[1:]
		}
	}
	at.number = number
	f.moved.Broadcast()
}

// reached waits until every node's directory is at a sequence, and returns when the last one got there.
func (f *stubs) reached(sequence uint64) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var last time.Time
	for slot := 1; slot < len(f.at); slot += 2 {
		for f.at[slot].number < sequence {
			f.moved.Wait()
		}
		for _, step := range f.at[slot].history {
			if step.number >= sequence {
				last = later(last, step.at)
				break
			}
		}
	}
	return last
}

// forget makes heard wait for what comes from now on.
func (f *stubs) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.at {
		f.at[i].heard = time.Time{}
	}
}

// heard waits until every stream was told something, and returns when the last one was.
func (f *stubs) heard() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var last time.Time
	for i := range f.at {
		for f.at[i].heard.IsZero() {
			f.moved.Wait()
		}
		last = later(last, f.at[i].heard)
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
