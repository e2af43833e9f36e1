package effort_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
)

// random returns a source of its own per seed, which a failure names.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func TestNoMorePiecesAreAtWorkThanMayWhateverComesAndNoTurnIsLost(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := random(seed)
			turns := 2 + r.IntN(6)
			m := fixed(effort.Config{Turns: turns, Queue: 1 + r.IntN(40)})
			var atWork, dear, most, mostDear, worked atomic.Int64
			highest := func(of *atomic.Int64, now int64) {
				for was := of.Load(); now > was && !of.CompareAndSwap(was, now); was = of.Load() {
				}
			}
			var all sync.WaitGroup
			for range 300 {
				time.Sleep(time.Duration(r.IntN(int(20 * time.Millisecond))))
				caller, cost, weight := at(r.IntN(20)), time.Duration(r.IntN(int(200*time.Millisecond))), short
				if r.IntN(3) == 0 {
					weight = long
				}
				fails := r.IntN(10) == 0
				all.Go(func() {
					defer func() { _ = recover() }()
					_ = m.Do(caller, plenty, weight, func() {
						highest(&most, atWork.Add(1))
						defer atWork.Add(-1)
						if weight == long {
							highest(&mostDear, dear.Add(1))
							defer dear.Add(-1)
						}
						worked.Add(1)
						time.Sleep(cost)
						if fails {
							panic("in a rule")
						}
					})
				})
			}
			all.Wait()
			if most.Load() > int64(turns) || mostDear.Load() > int64(turns/2) {
				t.Errorf("seed %d: %d at work, %d dear ones, of %d turns", seed, most.Load(), mostDear.Load(), turns)
			}
			s := m.Stats()
			if done := s.Classes[0].Done + s.Classes[1].Done; done != uint64(worked.Load()) || s.Waited != done || done+s.Refused["queue_full"]+s.Refused["too_late"] != 300 {
				t.Errorf("seed %d: %d worked, %+v", seed, worked.Load(), s)
			}
			for _, c := range s.Classes {
				if c.AtWork != 0 || c.Waiting != 0 {
					t.Errorf("seed %d: %+v is left behind", seed, c)
				}
			}
		})
	}
}

func TestNoTurnIsFreeWhileALightPieceWaits(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := random(seed)
			m := fixed(effort.Config{Turns: 4})
			var all sync.WaitGroup
			for n := range 200 {
				weight := short
				if r.IntN(4) == 0 {
					weight = long
				}
				work := costs(time.Duration(1+r.IntN(100)) * time.Millisecond)
				all.Go(func() { _ = m.Do(at(n), plenty, weight, work) })
				time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
				synctest.Wait()
				s := m.Stats()
				l, d := s.Classes[0], s.Classes[1]
				if l.Waiting > 0 && l.AtWork+d.AtWork < 4 {
					t.Fatalf("seed %d: light pieces wait beside a free turn: %+v", seed, s.Classes)
				}
				if d.Waiting > 0 && d.AtWork < 2 && l.AtWork+d.AtWork < 4 || d.Waiting > 0 && d.AtWork == 0 && l.AtWork < 4 {
					t.Fatalf("seed %d: dear pieces wait beside a free turn: %+v", seed, s.Classes)
				}
			}
			all.Wait()
		})
	}
}

func TestALightPieceWaitsForNoDearOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2})
		var all sync.WaitGroup
		for n := range 50 { // a flood
			all.Go(func() { _ = m.Do(at(n), plenty, long, costs(time.Minute)) })
		}
		synctest.Wait()
		for n := range 100 {
			began := time.Now()
			done(t, m.Do(at(1000+n), usual, short, costs(5*time.Millisecond)))
			if took := time.Since(began); took != 5*time.Millisecond {
				t.Fatalf("a light piece waited %s behind dear ones", took-5*time.Millisecond)
			}
		}
		all.Wait()
	})
}

func TestADearPieceHasItsTurnWhateverTheLightOnesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2, Queue: 1000})
		var all sync.WaitGroup
		for n := range 2000 { // twice what two turns do, for a minute
			all.Go(func() {
				time.Sleep(time.Duration(n) * 5 * time.Millisecond)
				_ = m.Do(at(n), usual, short, costs(20*time.Millisecond))
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		done(t, m.Do(at(5000), usual, long, costs(time.Second)))
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("a dear piece took %s", took)
		}
		all.Wait()
	})
}

func TestOfThoseWhoWaitTheOnesGoFirstWhoHaveCostLittleAndWhoseWorkLooksCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2, Patience: time.Hour})
		done(t, m.Do(at(1), plenty, long, costs(20*time.Second)))
		done(t, m.Do(at(2), plenty, long, costs(10*time.Second)))
		var all sync.WaitGroup
		all.Go(func() { done(t, m.Do(at(9), plenty, long, costs(time.Minute))) })
		synctest.Wait()
		var order []string
		for _, p := range []struct {
			name   string
			caller effort.Caller
			weight int
		}{
			{"spent 20 s", at(1), long},
			{"large", at(4), 20 * long},
			{"spent 10 s", at(2), long},
			{"first", at(3), long},
			{"its second", at(3), long},
			{"another's first", at(5), long},
		} {
			all.Go(func() { done(t, m.Do(p.caller, plenty, p.weight, func() { order = append(order, p.name) })) })
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if want := []string{"first", "another's first", "its second", "large", "spent 10 s", "spent 20 s"}; !slices.Equal(order, want) {
			t.Errorf("the order is %q, want %q", order, want)
		}
	})
}

func TestWhoHasCostMuchHasItsTurnAllTheSameOnceLaterOnesAreDueLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2, Patience: time.Hour, Queue: 10_000})
		done(t, m.Do(at(1), plenty, long, costs(3*time.Second)))
		stop := make(chan struct{})
		var all sync.WaitGroup
		for n := 2; n < 1500; n++ { // newcomers, more than the turn serves
			all.Go(func() {
				select {
				case <-time.After(time.Duration(n) * 80 * time.Millisecond):
					_ = m.Do(at(n), plenty, long, costs(100*time.Millisecond))
				case <-stop:
				}
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		done(t, m.Do(at(1), plenty, long, costs(0)))
		if took := time.Since(began); took < 10*time.Second || took > 60*time.Second {
			t.Errorf("who has cost 3 s waits %s", took)
		}
		close(stop)
		all.Wait()
	})
}

func TestTheLineIsBoundedAndWhoIsDueLastGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2, Queue: 3, Patience: time.Hour})
		var all sync.WaitGroup
		results := map[string]error{}
		var mu sync.Mutex
		ask := func(name string, n, weight int, work func()) {
			all.Go(func() {
				err := m.Do(at(n), plenty, weight, work)
				mu.Lock()
				defer mu.Unlock()
				results[name] = err
			})
			synctest.Wait()
		}
		ask("at work, light", 1, short, costs(time.Minute))
		ask("at work, dear", 2, long, costs(time.Minute))
		ask("dear", 3, long, costs(0))
		ask("dearer", 4, 2*long, costs(0))
		ask("dearest", 5, 3*long, costs(0))
		ask("dearest of all", 6, 4*long, costs(0))
		for n := range 4 {
			ask(fmt.Sprint("light ", n), 10+n, short, costs(0))
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		for name, busy := range map[string]bool{
			"dear": true, "dearer": true, "dearest": true, "dearest of all": true, "light 3": true,
			"light 0": false, "light 1": false, "light 2": false, "at work, light": false, "at work, dear": false,
		} {
			if got := errors.Is(results[name], effort.ErrBusy); got != busy {
				t.Errorf("%s: %v", name, results[name])
			}
		}
		if s := m.Stats(); s.Refused["queue_full"] != 5 {
			t.Errorf("%+v", s)
		}
	})
}
