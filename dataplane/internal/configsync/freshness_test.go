package configsync

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/proto/digest"
)

func TestOnlyWordsOnWhatTheNodeHoldsKeepItFresh(t *testing.T) {
	begun := time.Now()
	f := freshness.New(begun)
	unsigned := verifier{trust: fixedTrust{"": nil}} // heads are verified before they come here
	l := newLane("directory", unsigned, entries{directory.New()}, slog.New(slog.DiscardHandler), slog.LevelDebug, func() {})
	l.freshness = f
	f.Begin()
	_, empty := directory.New().Head()
	later := begun
	// hear takes a beat a second later than the last, and returns when the control plane is thought to have vouched.
	hear := func(h head) time.Duration {
		t.Helper()
		later = later.Add(time.Second)
		l.arrived, h.time, h.epoch = later, later, 1
		_ = l.beat(t.Context(), h) // some are refused
		return later.Sub(begun) - f.Age(later)
	}
	if got := hear(head{number: 1, digest: empty}); got != time.Second {
		t.Errorf("the first word on the lane counts at %s, want 1s", got)
	}
	if got := hear(head{number: 1, digest: empty}); got != 2*time.Second {
		t.Errorf("a beat on what is held counts at %s, want 2s", got)
	}
	if got := hear(head{number: 2, digest: digest.Sum{1}}); got != 2*time.Second {
		t.Errorf("a beat on a state that the node lacks moved it to %s", got)
	}
	if got := hear(head{number: 1, digest: digest.Sum{1}}); got != 2*time.Second {
		t.Errorf("a beat on another state of that number moved it to %s", got)
	}
	if got := hear(head{number: 2, digest: empty}); got != 5*time.Second {
		t.Errorf("a beat that moves the lane counts at %s, want 5s", got)
	}
}
