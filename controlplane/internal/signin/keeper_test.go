package signin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// forgetting is a store that has so much to forget.
type forgetting struct {
	SessionStore

	mu          sync.Mutex
	left, asked int
	failing     bool
}

// now lets the test look, and change what is to come.
func (f *forgetting) now(look func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look()
}

func (f *forgetting) Forget(_ context.Context, _ time.Time, limit int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.failing {
		return 0, errors.New("the database is down")
	}
	n := min(f.left, limit)
	f.left -= n
	return n, nil
}

func TestWhatHasExpiredIsRemovedAlsoAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &forgetting{left: 2*forgetLimit + 1, failing: true}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- NewKeeper(store, slog.New(slog.DiscardHandler)).Run(ctx) }()
		time.Sleep(forgetEvery + time.Second)
		synctest.Wait()
		store.now(func() {
			if store.asked != 1 || store.left == 0 {
				t.Errorf("asked %d times, %d left", store.asked, store.left)
			}
			store.failing = false
		})
		time.Sleep(forgetEvery)
		synctest.Wait()
		store.now(func() {
			if store.left != 0 {
				t.Errorf("%d are left", store.left)
			}
		})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
