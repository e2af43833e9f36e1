package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// TestOneCommandRunsTheProductAndTheReadmesTourIsTrue does what a newcomer does: starts the local stack, walks the README's tour word for
// word, stops with Ctrl-C, and starts again.
func TestOneCommandRunsTheProductAndTheReadmesTourIsTrue(t *testing.T) {
	dir := t.TempDir()
	first := startLocal(t, dir)
	if !strings.Contains(first.said, "429  more than 5 requests in 10s") {
		t.Errorf("the demo shows no limited request:\n%s", first.said)
	}
	if !strings.Contains(first.said, "403  an SQL injection") || !strings.Contains(first.said, "942100 (SQL Injection") {
		t.Errorf("the demo shows no injection that is blocked, or not why:\n%s", first.said)
	}
	if out := shell(t, dir, printed(t, first.said, "/drafts")); !slices.Equal(statusLines(out), []string{"400"}) || !strings.Contains(out, "schema_broken") || !strings.Contains(out, "/items/0/price") {
		t.Errorf("the body that breaks its schema is answered:\n%s", out)
	}
	info, err := os.Stat(filepath.Join(dir, ".sallyport", "env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the env file holds a token, and has mode %v (%v), want 0600", info.Mode(), err)
	}
	out := shell(t, dir, strings.Join(readmeShell(t), "\n"))
	want := []string{"200", "401", "200", "400", "204", "401", "400"}
	if got := statusLines(out); !slices.Equal(got, want) {
		t.Errorf("the tour was answered %v, want %v:\n%s", got, want, out)
	}
	for _, named := range []string{"/name", "/service", "/paths/0/exact", "/colour", "Sallyport-Applied: 2/2", "credential_invalid", `"stages":`, `"operation":"createApiKey"`, `"effects":`, `"decision":`} {
		if !strings.Contains(out, named) {
			t.Errorf("the tour's answers don't name %s:\n%s", named, out)
		}
	}
	first.interrupt(t)

	second := startLocal(t, dir)
	out = shell(t, dir, `. .sallyport/env; curl -sS -H "Authorization: Bearer $SALLYPORT_TOKEN" "$SALLYPORT_URL/api/v1/environments/demo/routes/tour"; kill -0 $SALLYPORT_PID_EDGE_2 && echo alive`)
	if !strings.Contains(out, `"name":"tour"`) || !strings.Contains(out, "alive") {
		t.Errorf("the second start did not keep the first one's data:\n%s", out)
	}
	second.interrupt(t)
}

// local is a running local stack.
type local struct {
	cmd  *exec.Cmd
	said string
	rest chan string
}

// startLocal starts the stack in a folder, on free ports, and returns once it says how to stop it.
func startLocal(t *testing.T, dir string) *local {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "sallyport-local"))
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	cmd.Env = append(os.Environ(), "SALLYPORT_DIR=", "SALLYPORT_EDGES=2", "SALLYPORT_PORT_POSTGRES=0", "SALLYPORT_PORT_ADMIN=0", "SALLYPORT_PORT_CONSOLE=0",
		"SALLYPORT_PORT_EDGE_API=0", "SALLYPORT_PORT_BUS=0", "SALLYPORT_PORT_DEMO=0", "SALLYPORT_PORT_EDGE=0", "SALLYPORT_PORT_EDGE_ADMIN=0")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &local{cmd: cmd, rest: make(chan string, 1)}
	reader := bufio.NewReader(stdout)
	for !strings.Contains(l.said, "Ctrl-C stops everything") {
		line, err := reader.ReadString('\n')
		l.said += line
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, ".sallyport", "log"))
			t.Fatalf("the stack ended before it ran:\n%s%s\n%s", l.said, problems.String(), log)
		}
	}
	go func() {
		rest, _ := io.ReadAll(reader)
		l.rest <- string(rest)
	}()
	if found := regexp.MustCompile(`(?m)^  Database +(/\S+)$`).FindStringSubmatch(l.said); found != nil {
		t.Cleanup(func() { _ = os.RemoveAll(found[1]) })
	}
	return l
}

// interrupt is Ctrl-C.
func (l *local) interrupt(t *testing.T) {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest := <-l.rest
	if err := l.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C did not end the stack cleanly: %v\n%s", err, rest)
	}
}

// readmeShell returns the README's shell examples.
func readmeShell(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) == 0 {
		t.Fatal("the README has no shell example")
	}
	return blocks
}

// printed returns the curl line that the demo prints for a path.
func printed(t *testing.T, said, path string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  (curl -i .*` + regexp.QuoteMeta(path) + `) +#`).FindStringSubmatch(said)
	if line == nil {
		t.Fatalf("the demo prints no line for %s:\n%s", path, said)
	}
	return line[1]
}

func shell(t *testing.T, dir, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

// statusLines returns the statuses of the answers that curl -i printed.
func statusLines(out string) []string {
	var statuses []string
	for _, found := range regexp.MustCompile(`(?m)HTTP/1\.1 (\d{3})`).FindAllStringSubmatch(out, -1) {
		statuses = append(statuses, found[1])
	}
	return statuses
}
