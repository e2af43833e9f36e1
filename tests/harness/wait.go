package harness

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// pollInterval is between two looks at a condition.
const pollInterval = 10 * time.Millisecond

// Eventually returns once condition has no error, and fails the test when it still has one after bound.
func Eventually(t testing.TB, bound time.Duration, condition func() error) {
	t.Helper()
	if err := poll(t.Context(), bound, condition); err != nil {
		t.Fatal(err)
	}
}

// poll returns once condition has no error, else its last one.
func poll(ctx context.Context, bound time.Duration, condition func() error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", bound, err)
		case <-tick.C:
		}
	}
}
