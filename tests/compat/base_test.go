package compat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// buildBound bounds the build of the base's programs with an empty cache.
const buildBound = 10 * time.Minute

const (
	control = "sallyport-control"
	edge    = "sallyport-edge"
)

// base and current are folders of programs: of the commit in BASE, and of this one. TestMain sets them, once.
var base, current string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sallyport-compat-")
		if err == nil {
			defer func() { _ = os.RemoveAll(dir) }()
			base = filepath.Join(dir, "bin")
			err = buildBase(dir)
		}
		if err == nil {
			current, err = harness.Programs()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "compat:", err)
			return 1
		}
		return m.Run()
	}())
}

// buildBase builds the programs of the commit in BASE into base.
func buildBase(dir string) error {
	named, err := os.ReadFile("BASE")
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	commit := strings.TrimSpace(string(named))
	ctx, cancel := context.WithTimeout(context.Background(), buildBound)
	defer cancel()
	root, err := output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("this isn't a git clone, so the build that BASE names (%s) can't be made from its history: %w", commit, err)
	}
	top := strings.TrimSpace(string(root))
	if _, err := output(ctx, top, nil, "git", "cat-file", "-e", commit+"^{commit}"); err != nil {
		return fmt.Errorf("the commit that BASE names (%s) isn't in this clone: fetch the whole history (git fetch --unshallow): %w", commit, err)
	}
	archive, err := output(ctx, top, nil, "git", "archive", commit)
	if err != nil {
		return err
	}
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o700); err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	if _, err := output(ctx, source, archive, "tar", "-x"); err != nil {
		return err
	}
	_, err = output(ctx, source, nil, "go", "build", "-trimpath", "-o", base+string(filepath.Separator),
		"./controlplane/cmd/sallyport-control", "./dataplane/cmd/sallyport-edge", "./deploy/local/demo")
	return err
}

// output runs a program and returns what it prints.
func output(ctx context.Context, dir string, input []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(told.Bytes()))
	}
	return out, nil
}

// mix is a folder of programs, each of one of the two builds, that can be changed while a stack runs from it.
type mix struct{ dir string }

// newMix takes all programs from one build.
func newMix(t *testing.T, from string) mix {
	t.Helper()
	m := mix{dir: t.TempDir()}
	for _, name := range []string{control, edge, "demo"} {
		m.take(t, from, name)
	}
	return m
}

// take makes the next start of a program one of this build.
func (m mix) take(t *testing.T, from, name string) {
	t.Helper()
	at := filepath.Join(m.dir, name)
	next := at + ".next"
	if err := os.Symlink(filepath.Join(from, name), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, at); err != nil {
		t.Fatal(err)
	}
}
