package historytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Property is what must hold after, and during, every history of steps.
type Property[S fmt.Stringer] struct {
	// Seeds that broke it once: they are tried before all others, always.
	Seeds []uint64
	// Histories is how many more are tried, and with SALLYPORT_LONG how many.
	Histories, Long int
	// Steps makes a history.
	Steps func(random *rand.Rand) []S
	// Holds plays a history from nothing, and returns how it broke the property.
	Holds func(t *testing.T, history []S) error
}

const (
	// shrinkTime bounds how long a history that fails is made smaller for.
	shrinkTime = 30 * time.Second
	// attempts is how often a smaller history is played before it counts as one that holds: threads meet as they like.
	attempts = 3
)

// Check fails with the smallest history that it finds to break the property. What to play it reads with getenv: the contract's
// packages look at no environment themselves.
func Check[S fmt.Stringer](t *testing.T, getenv func(string) string, p Property[S]) {
	t.Helper()
	seeds, err := p.seeds(getenv("SALLYPORT_SEED"), getenv("SALLYPORT_LONG") != "")
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range seeds {
		history := p.history(seed)
		broken := p.Holds(t, history)
		if broken == nil {
			continue
		}
		t.Logf("seed %d breaks it: %v; looking for a shorter history", seed, broken)
		shortest := shrink(history, time.Now().Add(shrinkTime), func(shorter []S) bool {
			for range attempts {
				if err := p.Holds(t, shorter); err != nil {
					broken = err
					return true
				}
			}
			return false
		})
		t.Fatalf("%v\n%d of %d steps do it:\n%s\nreplay: SALLYPORT_SEED=%d go test -run '^%s$'", broken, len(shortest), len(history), list(shortest), seed, t.Name())
	}
}

// seeds are those to try: one alone to replay it, else the ones that are known and those that follow from 1.
func (p Property[S]) seeds(replay string, long bool) ([]uint64, error) {
	if replay != "" {
		seed, err := strconv.ParseUint(replay, 10, 64)
		if err != nil {
			return nil, errors.New("SALLYPORT_SEED is no number")
		}
		return []uint64{seed}, nil
	}
	many := p.Histories
	if long {
		many = p.Long
	}
	seeds := slices.Clone(p.Seeds)
	for seed := range uint64(many) {
		seeds = append(seeds, seed+1)
	}
	return seeds, nil
}

func (p Property[S]) history(seed uint64) []S {
	return p.Steps(rand.New(rand.NewPCG(seed, 0))) // #nosec G404 -- it must be the same each time
}

// shrink leaves out ever smaller runs of steps for as long as what is left fails.
func shrink[S any](history []S, until time.Time, fails func([]S) bool) []S {
	for size := len(history) / 2; size > 0; size /= 2 {
		for again := true; again; {
			again = false
			for at := 0; at < len(history); {
				shorter := slices.Delete(slices.Clone(history), at, min(at+size, len(history)))
				switch {
				case time.Now().After(until):
					return history
				case fails(shorter):
					history, again = shorter, size == 1 // one step less may free another
				default:
					at += size
				}
			}
		}
	}
	return history
}

func list[S fmt.Stringer](history []S) string {
	var out strings.Builder
	for i, step := range history {
		fmt.Fprintf(&out, "%4d  %s\n", i+1, step)
	}
	return strings.TrimSuffix(out.String(), "\n")
}
