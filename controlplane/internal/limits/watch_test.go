package limits

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

type counted struct {
	counts Counts
	err    error
}

func (c *counted) Counts(context.Context, string) (Counts, error) { return c.counts, c.err }

func TestAnAlarmIsRaisedOnceAndAgainAfterItWasOver(t *testing.T) {
	var said bytes.Buffer
	store := &counted{}
	l := New(store, slog.New(slog.NewTextHandler(&said, nil)), new(Stats))
	most, _ := Most("routes")
	known := map[string]bool{}
	look := func(used uint64, raised int, alarming int64) {
		t.Helper()
		said.Reset()
		store.counts = Counts{"env_a": {"routes": used}, "env_b": {"routes": 1}}
		known = l.look(t.Context(), known)
		if got := strings.Count(said.String(), "half of a limit is used"); got != raised || l.stats.Alarming.Load() != alarming {
			t.Errorf("at %d: raised %d alarms, %d hold; want %d and %d: %s", used, got, l.stats.Alarming.Load(), raised, alarming, said.String())
		}
	}
	look(1, 0, 0)
	look(most/2, 1, 1)
	look(most/2+1, 0, 1)
	store.err = errors.New("the database is away")
	look(1, 0, 1) // nothing is known to be over
	store.err = nil
	look(1, 0, 0)
	look(most, 1, 1)
}
