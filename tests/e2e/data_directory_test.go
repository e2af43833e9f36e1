package e2e

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/tests/harness"
)

// Two processes that write one state would each undo what the other has made durable.
func TestASecondEdgeOnADataDirectoryIsRefusedAndTheFirstGoesOn(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	edge := s.Edges()[0]

	problems, err := s.Environment.Stack.RunEdge(t.Context(), nil, "serve", "--data-dir", edge.DataDir,
		"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--access-log=false")

	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit code 1", err)
	}
	if !strings.Contains(problems, "the data directory is in use") || !strings.Contains(problems, edge.DataDir) {
		t.Errorf("it is told %q", problems)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	// However the first one ends, its directory is free then.
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}
