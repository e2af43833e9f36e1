// Package product measures what the product promises of itself, on the built programs and inside its packages: how long a write takes to
// reach the fleet, a revocation, a start with a million keys, a decision.
//
// It owns what is measured and how; the stack is package harness's, with a database that keeps its promises (fsync). How the gateway
// compares with others is package scenarios' matter.
package product

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// runs of each measurement, of which the median counts.
	runs = 5
	// bound ends everything: a measurement that hangs is none.
	bound = 30 * time.Minute
)

// Run measures everything, and writes a table of what is expected and what was measured.
func Run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	var report report
	if err := product(ctx, &report); err != nil {
		return err
	}
	if err := packages(ctx, &report); err != nil {
		return err
	}
	fmt.Fprintf(out, "Medians of %d runs.\n\n%s", runs, report.table())
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
