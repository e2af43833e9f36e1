package directory_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
)

// setSource has one environment's keys, and counts who asks at once.
type setSource struct {
	mu                 sync.Mutex
	asked, now, atMost int
	err                error
}

func (s *setSource) IdentitySet(_ context.Context, idOrName string) ([]byte, bool, error) {
	s.mu.Lock()
	s.asked++
	s.now++
	s.atMost = max(s.atMost, s.now)
	s.mu.Unlock()
	<-time.After(10 * time.Millisecond) // of the bubble
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	return []byte("{}"), idOrName == "production", s.err
}

func TestASetIsLookedUpOnceASecondHoweverManyAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := new(setSource)
		sets := directory.NewIdentitySets(source, time.Now)
		ask := func(name, want string) {
			if set, some, err := sets.Of(t.Context(), name); err != nil || string(set) != want || some != (name == "production") {
				t.Errorf("%s: %s %v %v", name, set, some, err)
			}
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { ask("production", "{}") })
		}
		all.Wait()
		if source.asked > 4 {
			t.Errorf("looked up %d times", source.asked)
		}
		before := source.asked
		ask("production", "{}")
		time.Sleep(time.Second)
		ask("production", "{}")
		if source.asked != before+1 {
			t.Errorf("looked up %d times more", source.asked-before)
		}
		// Names that nobody has, as a stranger tries them.
		for i := range 100 {
			all.Go(func() { ask(strconv.Itoa(i), `{"keys":[]}`) })
		}
		all.Wait()
		if source.atMost > 4 {
			t.Errorf("%d looked up at once", source.atMost)
		}
	})
}

func TestASetThatCantBeLookedUpIsAnError(t *testing.T) {
	source := &setSource{err: errors.New("away")}
	sets := directory.NewIdentitySets(source, time.Now)
	if _, _, err := sets.Of(t.Context(), "production"); !errors.Is(err, source.err) {
		t.Error(err)
	}
	source.err = nil
	if _, _, err := sets.Of(t.Context(), "production"); err != nil {
		t.Error(err)
	}
}
