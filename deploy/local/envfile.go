package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/deploy/local/stack"
)

// envFile tells scripts where the running stack is: shell variables, written anew whenever a process id changes. It holds the
// owner's token, and so is for its owner alone.
type envFile struct {
	path  string
	stack *stack.Stack
	mu    sync.Mutex
}

func (f *envFile) write() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	temporary := f.path + ".new"
	if err := os.WriteFile(temporary, []byte(f.content()), 0o600); err != nil {
		return fmt.Errorf("write the env file: %w", err)
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return fmt.Errorf("write the env file: %w", err)
	}
	return nil
}

// rewrite is write for whom there is nobody to tell: a stale process id is all that can come of it.
func (f *envFile) rewrite() { _ = f.write() }

func (f *envFile) content() string {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s=%s\n", name, quote(value)) }
	s := f.stack
	set("SALLYPORT_URL", s.URL())
	set("SALLYPORT_CONSOLE_URL", s.ConsoleURL())
	set("SALLYPORT_TOKEN", s.Token())
	for n := 1; n <= s.Edges(); n++ {
		set(fmt.Sprintf("SALLYPORT_EDGE_%d", n), s.EdgeURL(n))
		set(fmt.Sprintf("SALLYPORT_EDGE_%d_ADMIN", n), s.EdgeAdminURL(n))
	}
	set("DATABASE_URL", s.DatabaseURL())
	set("NATS_URL", s.BusURL())
	pid := func(name, part string) { set("SALLYPORT_PID_"+name, strconv.Itoa(s.PID(part))) }
	pid("CONTROL", stack.Control)
	pid("POSTGRES", stack.Postgres)
	for n := 1; n <= s.Edges(); n++ {
		pid(fmt.Sprintf("EDGE_%d", n), stack.Edge(n))
	}
	pid("DEMO", stack.Demo)
	return b.String()
}

// quote makes a value one word of a POSIX shell.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }
