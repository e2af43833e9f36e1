// Command bench measures what the product promises, on the built programs, and prints a Markdown table of what is expected
// and what was measured. Every figure is the median of several runs.
//
// It owns what is measured and how; the stack is package harness's, with a database that keeps its promises (fsync). It
// judges nothing: a machine that others use too measures them as well, and says so by its load.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// runs of each measurement, of which the median counts.
	runs = 5
	// bound ends everything: a measurement that hangs is none.
	bound = 30 * time.Minute
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	busy := load()
	var report report
	if err := product(ctx, &report); err != nil {
		return err
	}
	if err := packages(ctx, &report); err != nil {
		return err
	}
	fmt.Printf("\n%s, %d processors, %s; medians of %d runs; load before %s\n\n", runtime.Version(), runtime.NumCPU(), processor(), runs, busy)
	fmt.Print(report.table())
	return nil
}

// product measures the built programs.
func product(ctx context.Context, into *report) (failed error) {
	say("starting a stack")
	stack, err := harness.Start(ctx, harness.Config{Edges: 0, Durable: true})
	if err != nil {
		return err
	}
	defer func() {
		if err := stack.Close(); err != nil && failed == nil {
			failed = err
		}
		_ = os.Remove(stack.LogFile()) // scratch
	}()
	upstream, err := harness.StartUpstream(nil)
	if err != nil {
		return err
	}
	defer upstream.Close()
	environment, err := stack.NewEnvironment(ctx, 2, harness.Loopback)
	if err != nil {
		return err
	}
	b := &bench{environment: environment, api: stack.API, stack: stack, report: into}
	defer func() {
		if err := environment.Close(); err != nil && failed == nil {
			failed = err
		}
	}()
	if err := b.prepare(ctx, upstream.Address); err != nil {
		return err
	}
	steps := []struct {
		name    string
		measure func(context.Context) error
	}{
		{"commit to ack", b.commitToAck},
		{"revocation", b.revocation},
		{"explain", b.explain},
		{"one route of 10,000", b.oneRouteOfMany},
		{"a million keys", b.millionKeys},
	}
	for _, step := range steps {
		say(step.name)
		if err := step.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func say(what string) { fmt.Fprintf(os.Stderr, "==> %s\n", what) }

// load returns how busy the machine is, where the system tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// processor names the processor, where the system tells.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
