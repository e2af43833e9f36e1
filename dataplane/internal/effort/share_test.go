package effort_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
)

func TestTheNodesShareHoldsWhateverComesAndIsUsed(t *testing.T) {
	for name, weights := range map[string][]int{"dear": {long}, "light": {short}, "both": {short, long}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := fixed(effort.Config{Turns: 8, Processors: 4, Share: 0.5, Queue: 100})
				var all sync.WaitGroup
				for n := range 120_000 / 20 { // of newcomers, each once: 4 processors' worth and more
					all.Go(func() {
						time.Sleep(time.Duration(n) * 20 * time.Millisecond)
						_ = m.Do(at(n), usual, weights[n%len(weights)], costs(100*time.Millisecond))
					})
				}
				time.Sleep(100 * time.Second)
				s := m.Stats()
				spent := (s.Classes[0].Spent + s.Classes[1].Spent).Seconds()
				if most := 0.5*4*100 + 4 + 0.8; spent > most || spent < 0.97*0.5*4*100 {
					t.Errorf("100 s of half of 4 processors came to %.1f s; %.1f s is the most", spent, most)
				}
				if name == "both" && (s.Classes[0].Spent < 145*time.Second || s.Classes[1].Spent < 45*time.Second) {
					t.Errorf("light pieces had %s, dear ones %s", s.Classes[0].Spent, s.Classes[1].Spent)
				}
				all.Wait()
			})
		})
	}
}

func TestWhenTheNodeIsShortThoseAreRefusedFirstWhoHaveCostMost(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := random(seed)
			m := fixed(effort.Config{Turns: 16, Processors: 4, Share: 0.5}) // may have spent 4 s
			spent := make([]time.Duration, 12)
			var all sync.WaitGroup
			for n := range spent {
				spent[n] = time.Duration(r.IntN(int(900 * time.Millisecond)))
				if n < 3 {
					spent[n] = 0
				}
				all.Go(func() {
					time.Sleep(time.Second - spent[n]) // all end at once
					done(t, m.Do(at(n), usual, short, costs(spent[n])))
				})
			}
			all.Wait()
			lowest, highest := time.Duration(math.MaxInt64), time.Duration(0)
			for n, cost := range spent {
				switch refusedBy(m.Spent(at(n), usual)) {
				case "node":
					lowest = min(lowest, cost)
				case "":
					highest = max(highest, cost)
				default:
					t.Errorf("seed %d: who has spent %s of 4 s is refused by its own allowance", seed, cost)
				}
			}
			if lowest <= highest {
				t.Errorf("seed %d: who has cost %s is refused, who has cost %s isn't", seed, lowest, highest)
			}
			if lowest < 200*time.Millisecond {
				t.Errorf("seed %d: who has cost %s, a twentieth of what it may, is refused for what others did", seed, lowest)
			}
			done(t, m.Spent(at(99), usual))
		})
	}
}

func TestTheMoreTheNodeHasSpentTheLessOfAnAllowanceCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 64, Processors: 10, Share: 1}) // may have spent 20 s
		var all sync.WaitGroup
		spender := effort.Allowance{PerAddress: 4 * time.Second, Refill: time.Hour}
		done(t, m.Do(at(1), spender, short, costs(3*time.Second))) // which stay spent
		done(t, m.Spent(at(1), spender))
		for n := range 14 {
			all.Go(func() { done(t, m.Do(at(10+n), plenty, long, costs(time.Second))) })
		}
		all.Wait() // 14 s of 20: three fifths of an allowance count
		if err := m.Spent(at(1), spender); refusedBy(err) != "node" {
			t.Fatalf("who has spent three quarters is answered %v", err)
		}
		time.Sleep(300 * time.Millisecond) // 11 s: nine tenths count
		done(t, m.Spent(at(1), spender))
	})
}

func TestFloodersWhoFillTheLineAreRefusedForWhatTheyCostAndMakeRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fixed(effort.Config{Turns: 2}) // of a node that has time for more
		answers := make(map[string]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for flooder := range 10 {
			for n := range 200 { // ten a second of half a second each, for 20 s
				all.Go(func() {
					time.Sleep(time.Duration(n) * 100 * time.Millisecond)
					err := m.Do(at(flooder), usual, 50*long/10, costs(500*time.Millisecond))
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						answers["done"]++
					} else {
						answers[refusedBy(err)]++
					}
				})
			}
		}
		time.Sleep(10 * time.Second)
		for n := range 20 { // others have something dear now and then
			began := time.Now()
			done(t, m.Do(at(100+n), usual, long, costs(100*time.Millisecond)))
			if took := time.Since(began); took > 1100*time.Millisecond {
				t.Errorf("who has cost nothing waits %s beside a flood", took)
			}
		}
		all.Wait()
		if answers["node"]+answers["address"] < 1900 || answers["done"] < 20 {
			t.Errorf("the flooders are answered %v", answers)
		}
	})
}
