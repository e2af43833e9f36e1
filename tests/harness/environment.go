package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deploy/local/process"
	"github.com/sallyport/sallyport/sdk/sallyport"
)

// Environment is an environment with the edges that serve it.
type Environment struct {
	// Name of it.
	Name string
	// Edges that are enrolled in it.
	Edges []*Edge
	// Stack that it is part of.
	Stack *Stack
}

// NewEnvironment makes an environment with edges of its own, whose targets may be in allowed (address ranges). The edges
// live until Close.
func (s *Stack) NewEnvironment(ctx context.Context, edges int, allowed ...string) (_ *Environment, failed error) {
	e := &Environment{Name: "own-" + s.unique(), Stack: s}
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, e.Close())
		}
	}()
	made, err := s.API.CreateEnvironmentWithResponse(ctx, sallyport.Environment{Name: e.Name})
	if err := sallyport.Check(made, err); err != nil {
		return nil, fmt.Errorf("make environment %s: %w", e.Name, err)
	}
	for n := range edges {
		edge, err := e.enrol(ctx, n+1)
		if err != nil {
			return nil, fmt.Errorf("start an edge of %s: %w", e.Name, err)
		}
		e.Edges = append(e.Edges, edge)
	}
	if err := e.open(ctx, allowed...); err != nil {
		return nil, err
	}
	return e, nil
}

// AddEdge starts one more edge.
func (e *Environment) AddEdge(ctx context.Context) (*Edge, error) {
	edge, err := e.enrol(ctx, len(e.Edges)+1)
	if err != nil {
		return nil, fmt.Errorf("start another edge of %s: %w", e.Name, err)
	}
	e.Edges = append(e.Edges, edge)
	return edge, nil
}

// Close ends the edges that NewEnvironment started.
func (e *Environment) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	var failed []error
	for _, edge := range e.Edges {
		failed = append(failed, edge.Stop(ctx))
		if own, ok := edge.program.(*child); ok {
			own.leave()
		}
	}
	return errors.Join(failed...)
}

// joinTokenLife is long enough to start one edge.
const joinTokenLife = 15 * time.Minute

func (e *Environment) enrol(ctx context.Context, n int) (*Edge, error) {
	token, err := e.JoinToken(ctx)
	if err != nil {
		return nil, err
	}
	return e.startEdge(ctx, fmt.Sprintf("%s-edge-%d", e.Name, n), token, nil)
}

// JoinToken makes a join token for one edge.
func (e *Environment) JoinToken(ctx context.Context) (string, error) {
	made, err := e.Stack.API.CreateJoinTokenWithResponse(ctx, e.Name, sallyport.JoinToken{ExpiresAt: time.Now().Add(joinTokenLife)})
	if err := sallyport.Check(made, err); err != nil {
		return "", fmt.Errorf("make a join token: %w", err)
	}
	return made.JSON201.Token, nil
}

// StartFromFile starts an edge from a snapshot file. Without a join token it stays alone. Its owner stops it.
func (e *Environment) StartFromFile(ctx context.Context, joinToken, file, key string) (*Edge, error) {
	environment, args := fromFile(file, key)
	return e.startEdge(ctx, e.Name+"-file-"+e.Stack.unique(), joinToken, environment, args...)
}

// UseFile makes an edge that was started from a file start from another one the next time.
func (e *Edge) UseFile(file, key string) {
	if own, ok := e.program.(*child); ok {
		environment, args := fromFile(file, key)
		own.spec.Env, own.spec.Args = environment, append(own.spec.Args[:len(own.spec.Args)-len(args)], args...)
	}
}

// UseToken gives an edge that the harness starts a join token for the next time.
func (e *Edge) UseToken(joinToken string) {
	if own, ok := e.program.(*child); ok {
		own.joinToken = joinToken
	}
}

func fromFile(file, key string) (environment, args []string) {
	return []string{"SALLYPORT_SNAPSHOT_KEY=" + key}, []string{"--snapshot", file}
}

func (e *Environment) startEdge(ctx context.Context, name, joinToken string, environment []string, args ...string) (*Edge, error) {
	return e.startEdgeAt(ctx, place{address: "127.0.0.1", control: e.Stack.local.EdgeAPIAddress()}, name, joinToken, environment, args...)
}

func (e *Environment) startEdgeAt(ctx context.Context, at place, name, joinToken string, environment []string, args ...string) (*Edge, error) {
	serve, operate, err := at.free()
	if err != nil {
		return nil, err
	}
	secure := ""
	if at.program == "" && at.network == nil { // an older build doesn't know the flag
		if secure, _, err = freePorts(); err != nil {
			return nil, err
		}
		args = append([]string{"--listen-tls", secure}, args...)
	}
	dir := filepath.Join(e.Stack.dir, name)
	program := at.program
	if program == "" {
		program = filepath.Join(e.Stack.bin, "sallyport-edge")
	}
	child := &child{
		spec: process.Spec{
			Name: name, Path: at.path(program), Output: e.Stack.output, Env: environment,
			Args: at.args(program, append([]string{
				"serve", "--control", at.control, "--listen", serve, "--admin-listen", operate,
				"--data-dir", dir, "--name", name,
			}, args...)...),
		},
		joinToken: joinToken,
	}
	if operate, child.leave, err = at.reach(operate); err != nil {
		return nil, err
	}
	edge := newEdge(name, "http://"+serve, "http://"+operate, child)
	edge.DataDir, edge.SecureAddress = dir, secure
	if err := edge.Start(ctx); err != nil {
		return nil, errors.Join(err, edge.Kill())
	}
	return edge, nil
}

// freePorts returns two addresses on which nobody listens.
func freePorts() (one, other string, _ error) {
	first, err := listenSomewhere()
	if err != nil {
		return "", "", err
	}
	defer func() { _ = first.Close() }()
	second, err := listenSomewhere()
	if err != nil {
		return "", "", err
	}
	defer func() { _ = second.Close() }()
	return first.Addr().String(), second.Addr().String(), nil
}

// Ports below those that systems give to outgoing connections: one of these could take a port between its choice and its use.
const (
	lowestPort = 10_000
	portRange  = 22_000
)

// drawn are the ports that were given away. Nobody listens on one between its choice and its use, nor while its program is down, and yet it is somebody's.
var drawn sync.Map

// listenSomewhere listens on a free port that wasn't drawn before.
func listenSomewhere() (listener net.Listener, err error) {
	for range 100 {
		port := lowestPort + rand.N(portRange) // #nosec G404 -- no secret
		if _, taken := drawn.LoadOrStore(port, true); taken {
			err = fmt.Errorf("port %d was drawn before", port)
			continue
		}
		if listener, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil { //nolint:noctx // immediate
			return listener, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// open allows targets, and returns once every edge is connected and has that.
func (e *Environment) open(ctx context.Context, allowed ...string) error {
	if err := e.AwaitConnected(ctx); err != nil {
		return err
	}
	if len(allowed) == 0 {
		return nil
	}
	put, err := e.Stack.API.PutSettingsWithResponse(ctx, e.Name, &sallyport.PutSettingsParams{Wait: longWait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: allowed})
	if err := sallyport.Check(put, err); err != nil {
		return fmt.Errorf("put the settings of %s: %w", e.Name, err)
	}
	return e.checkApplied(put.HTTPResponse.Header.Get("Sallyport-Applied"))
}

// AwaitConnected returns once the control plane counts every edge as connected: from then on ?wait= waits for them all.
func (e *Environment) AwaitConnected(ctx context.Context) error {
	return poll(ctx, readyBound, func() error {
		nodes, err := e.Nodes(ctx)
		if err != nil {
			return err
		}
		connected := 0
		for _, node := range nodes {
			if node.Connected {
				connected++
			}
		}
		if connected != len(e.Edges) {
			return fmt.Errorf("%d of the %d edges of %s are connected", connected, len(e.Edges), e.Name)
		}
		return nil
	})
}

// Nodes returns what the control plane knows of the environment's edges.
func (e *Environment) Nodes(ctx context.Context) ([]sallyport.Node, error) {
	list, err := e.Stack.API.ListNodesWithResponse(ctx, e.Name, nil)
	if err := sallyport.Check(list, err); err != nil {
		return nil, fmt.Errorf("list the nodes of %s: %w", e.Name, err)
	}
	return list.JSON200.Data, nil
}

// Head returns the environment as it is now, with its latest revision and sequence.
func (e *Environment) Head(ctx context.Context) (sallyport.Environment, error) {
	got, err := e.Stack.API.GetEnvironmentWithResponse(ctx, e.Name)
	if err := sallyport.Check(got, err); err != nil {
		return sallyport.Environment{}, fmt.Errorf("get environment %s: %w", e.Name, err)
	}
	return *got.JSON200, nil
}

// checkApplied says whether Sallyport-Applied counts every edge.
func (e *Environment) checkApplied(header string) error {
	if want := fmt.Sprintf("%d/%d", len(e.Edges), len(e.Edges)); header != want {
		return fmt.Errorf("a write was applied on %q edges of %s after %s, want %s", header, e.Name, *longWait(), want)
	}
	return nil
}

// longWait is what writes are asked to wait for the edges: a thousand times what is promised.
func longWait() *sallyport.Wait {
	wait := "30s"
	return &wait
}
