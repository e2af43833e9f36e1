package state

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/freshness"
)

func TestHowFreshTheNodeWasOutlivesTheProcess(t *testing.T) {
	at := newMemory()
	s := opened(t, at)
	if got := s.Freshness(); got != (freshness.Record{}) {
		t.Errorf("new state knows of %+v", got)
	}
	want := freshness.Record{Signed: time.UnixMilli(3000), Heard: time.UnixMilli(1000), Seen: time.UnixMilli(2000)}
	if err := s.KeepFreshness(want); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, at).Freshness(); got != want {
		t.Errorf("after a restart it is %+v, want %+v", got, want)
	}
}
