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
