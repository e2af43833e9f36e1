package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// commandBound is how long a program may take that is to end by itself.
const commandBound = time.Minute

// RunEdge runs an edge that is to end by itself. Environment variables ("NAME=value") are added to the test's own. What it complained of
// comes back; how it failed is an *exec.ExitError.
func (s *Stack) RunEdge(ctx context.Context, environment []string, args ...string) (problems string, _ error) {
	ctx, cancel := context.WithTimeout(ctx, commandBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "sallyport-edge"), args...)
	cmd.Env = append(os.Environ(), environment...)
	var complained bytes.Buffer
	cmd.Stderr = &complained
	if err := cmd.Run(); err != nil {
		return complained.String(), fmt.Errorf("sallyport-edge: %w", err)
	}
	return complained.String(), nil
}

// Export writes an environment to a snapshot file, and returns the key that opens it.
func (e *Environment) Export(ctx context.Context, file string) (key string, _ error) {
	return e.Stack.Control(ctx, "export", "-environment", e.Name, "-out", file)
}

// Sallyport runs the command line of the admin API, as an owner in this environment, and returns what it printed and what it noted.
func (e *Environment) Sallyport(ctx context.Context, args ...string) (printed, notes string, _ error) {
	ctx, cancel := context.WithTimeout(ctx, commandBound)
	defer cancel()
	s := e.Stack
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "sallyport"), args...)
	cmd.Env = append(os.Environ(), "SALLYPORT_URL="+s.local.URL(), "SALLYPORT_TOKEN="+s.local.Token(), "SALLYPORT_ENVIRONMENT="+e.Name)
	var out, noted bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &noted
	if err := cmd.Run(); err != nil {
		return out.String(), noted.String(), fmt.Errorf("sallyport: %w: %s", err, noted.String())
	}
	return out.String(), noted.String(), nil
}
