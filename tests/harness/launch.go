package harness

import (
	"context"
	"fmt"
	"slices"
)

// Launch is how to start an edge that is to be watched more closely than a test does.
type Launch struct {
	// Within is the command that the program is run by, and its arguments; nil: none.
	Within []string
	// Env is added to ours ("NAME=value").
	Env []string
	// Args are added to the edge's command line.
	Args []string
}

// LaunchEdge starts one more edge.
func (e *Environment) LaunchEdge(ctx context.Context, how Launch) (*Edge, error) {
	token, err := e.JoinToken(ctx)
	if err != nil {
		return nil, err
	}
	at := place{address: "127.0.0.1", control: e.Stack.local.EdgeAPIAddress(), within: how.Within}
	edge, err := e.startEdgeAt(ctx, at, e.Name+"-edge-"+e.Stack.unique(), token, how.Env, how.Args...)
	if err != nil {
		return nil, fmt.Errorf("start an edge of %s: %w", e.Name, err)
	}
	e.Edges = append(e.Edges, edge)
	return edge, nil
}

// Dismiss stops an edge for good.
func (e *Environment) Dismiss(ctx context.Context, edge *Edge) error {
	err := edge.Stop(ctx)
	if own, ok := edge.program.(*child); ok {
		own.leave()
	}
	e.Edges = slices.DeleteFunc(e.Edges, func(other *Edge) bool { return other == edge })
	return err
}

// PID returns the process of an edge that the harness started itself; 0 while it doesn't run.
func (e *Edge) PID() int {
	own, ok := e.program.(*child)
	if !ok {
		return 0
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.running == nil {
		return 0
	}
	return own.running.PID()
}

// Operate asks the edge's admin listener.
func (e *Edge) Operate(ctx context.Context, path string) (Response, error) {
	return e.operator(ctx, path)
}

// FreeAddress returns an address on loopback on which nobody listens.
func FreeAddress() (string, error) {
	listener, err := listenSomewhere()
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close() //nolint:wrapcheck // says what
}
