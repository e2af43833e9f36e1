package basic

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

func exchange() *pipeline.Exchange { return new(pipeline.Pool).Get() }

func TestTwoComputeAtATimeAndSixtyFourWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var computing, most, heard, refused atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if !turns.take(exchange(), true) {
					refused.Add(1)
					return
				}
				now := computing.Add(1)
				for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
				}
				time.Sleep(time.Millisecond) // of the bubble's clock
				computing.Add(-1)
				heard.Add(1)
				turns.giveBack()
			})
		}
		all.Wait()
		if most.Load() != atOnce || heard.Load() != atOnce+waiting || refused.Load() != 100-atOnce-waiting {
			t.Errorf("%d at once, %d heard, %d refused", most.Load(), heard.Load(), refused.Load())
		}
		if turns.line.Load() != 0 || !turns.take(exchange(), false) {
			t.Error("somebody left a turn behind")
		}
	})
}

func TestNobodyWaitsLongerThanPromisedNorForAClientThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		for range atOnce {
			turns.take(exchange(), false)
		}
		if turns.take(exchange(), false) {
			t.Error("a third computes")
		}
		begun := time.Now()
		if turns.take(exchange(), true) || time.Since(begun) != patient {
			t.Errorf("waited %s", time.Since(begun))
		}
		gone, begun := exchange(), time.Now()
		time.AfterFunc(time.Second, func() { gone.Abort.Because(context.Canceled) })
		if turns.take(gone, true) || time.Since(begun) != time.Second {
			t.Errorf("waited %s for a client that is gone", time.Since(begun))
		}
		if turns.take(gone, true) {
			t.Error("a client that was gone before is waited for")
		}
	})
}

func TestTheCacheIsBoundedAndKnowsWhatWasPutAlone(t *testing.T) {
	c := newCache()
	for i := range 4 * cacheShards * cacheShare {
		c.put(proof{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
	}
	held := 0
	for i := range c.shards {
		held += len(c.shards[i].known)
	}
	if held > cacheShards*cacheShare {
		t.Errorf("%d are held", held)
	}
	if c.has(proof{1: 1, 31: 1}) {
		t.Error("what wasn't put is known")
	}
}
