package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// commandBound is how long a command may take that is to end by itself.
const commandBound = time.Minute

// Command runs one of the programs to its end. Environment variables ("NAME=value") are added to the test's own. What it printed comes
// back although it failed; how it failed is an *exec.ExitError.
func (s *Stack) Command(ctx context.Context, environment []string, program string, args ...string) (out, problems string, _ error) {
	ctx, cancel := context.WithTimeout(ctx, commandBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Env = append(os.Environ(), environment...)
	var printed, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &complained
	if err := cmd.Run(); err != nil {
		return printed.String(), complained.String(), fmt.Errorf("%s: %w", program, err)
	}
	return printed.String(), complained.String(), nil
}

// Export writes an environment to a snapshot file, and returns the key that opens it.
func (e *Environment) Export(ctx context.Context, file string) (key string, _ error) {
	out, problems, err := e.Stack.Command(ctx, e.Stack.local.ControlEnv(), "sallyport-control", "export", "-environment", e.Name, "-out", file)
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, problems)
	}
	return strings.TrimSpace(out), nil
}
