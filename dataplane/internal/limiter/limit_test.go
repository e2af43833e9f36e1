package limiter

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// model is GCRA as its definition reads, in rational numbers of any size.
type model struct {
	interval, burst, tat *big.Rat
}

func newModel(w Window) *model {
	if w.Burst == 0 {
		w.Burst = w.Requests
	}
	interval := big.NewRat(int64(w.Length), int64(w.Requests))
	return &model{interval: interval, burst: new(big.Rat).Mul(interval, big.NewRat(int64(w.Burst), 1)), tat: new(big.Rat)}
}

func (m *model) next(now *big.Rat) (*big.Rat, bool) {
	next := new(big.Rat).Set(m.tat)
	if next.Cmp(now) < 0 {
		next.Set(now)
	}
	next.Add(next, m.interval)
	return next, new(big.Rat).Sub(next, now).Cmp(m.burst) <= 0
}

func (m *model) state(now *big.Rat) State {
	ahead := new(big.Rat).Sub(m.tat, now)
	if ahead.Sign() < 0 {
		ahead.SetInt64(0)
	}
	room := new(big.Rat).Sub(m.burst, ahead)
	if room.Sign() < 0 {
		room.SetInt64(0)
	}
	n := room.Quo(room, m.interval)
	return State{
		Remaining: new(big.Int).Quo(n.Num(), n.Denom()).Uint64(),
		Reset:     ceil(ahead),
	}
}

func ceil(r *big.Rat) time.Duration {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return time.Duration(q.Int64())
}

func randomWindow(r *rand.Rand) Window {
	requests := [...]uint32{1, 2, 3, 7, 10, 60, 999, 1_000_000, 999_999_937, MaxRequests}
	lengths := [...]time.Duration{MinWindow, time.Second, 1234567891 * time.Nanosecond, time.Minute, time.Hour, MaxWindow}
	bursts := [...]uint32{0, 0, 1, 2, 5, 100}
	return Window{
		Requests: requests[r.IntN(len(requests))],
		Length:   lengths[r.IntN(len(lengths))],
		Burst:    bursts[r.IntN(len(bursts))],
	}
}

func TestVerdictsEqualTheModelExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		windows := make([]Window, 1+r.IntN(3))
		models := make([]*model, len(windows))
		shortest := time.Duration(math.MaxInt64)
		for i := range windows {
			windows[i] = randomWindow(r)
			models[i] = newModel(windows[i])
			shortest = min(shortest, windows[i].Length/time.Duration(windows[i].Requests))
		}
		limit, err := NewLimit(windows...)
		if err != nil {
			t.Fatal(err)
		}
		tats := make([]moment, len(windows))
		now := r.Int64N(1 << 50)
		for range 60 {
			now += r.Int64N(3*int64(shortest) + 2)
			compare(t, windows, limit, tats, models, now)
		}
	}
}

func compare(t *testing.T, windows []Window, limit Limit, tats []moment, models []*model, now int64) {
	t.Helper()
	at := new(big.Rat).SetInt64(now)
	allowed, wait := true, time.Duration(0)
	next := make([]*big.Rat, len(models))
	for i, m := range models {
		after, ok := m.next(at)
		next[i] = after
		if !ok {
			allowed = false
			over := new(big.Rat).Sub(next[i], at)
			wait = max(wait, ceil(over.Sub(over, m.burst)))
		}
	}
	got := limit.take(tatsOf(tats), now, true)
	if got.Allowed != allowed || got.RetryAfter != wait {
		t.Fatalf("%v at %d: allowed %v after %v, the model says %v after %v", windows, now, got.Allowed, got.RetryAfter, allowed, wait)
	}
	for i, m := range models {
		if allowed {
			m.tat = next[i]
		}
		if want := m.state(at); got.Windows[i] != want {
			t.Fatalf("%v at %d: window %d is %+v, the model says %+v", windows, now, i, got.Windows[i], want)
		}
	}
}

func TestRetryAfterIsTheFirstNanosecondAtWhichTheRequestPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		w := randomWindow(r)
		w.Burst = uint32(1 + r.IntN(5))
		limit, err := NewLimit(w)
		if err != nil {
			t.Fatal(err)
		}
		tats := make([]moment, 1)
		v := limit.take(tatsOf(tats), 1000, true)
		for v.Allowed {
			v = limit.take(tatsOf(tats), 1000, true)
		}
		if limit.take(tatsOf(tats), 1000+int64(v.RetryAfter)-1, false).Allowed {
			t.Fatalf("%+v: passes before RetryAfter %v", w, v.RetryAfter)
		}
		if !limit.take(tatsOf(tats), 1000+int64(v.RetryAfter), false).Allowed {
			t.Fatalf("%+v: refused after RetryAfter %v", w, v.RetryAfter)
		}
	}
}

func TestThreePerSecondAreThreeHoweverLong(t *testing.T) {
	limit, err := NewLimit(Window{Requests: 3, Length: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	tats := make([]moment, 1)
	for second := range int64(100_000) {
		for i, want := range []bool{true, true, true, false} {
			if v := limit.take(tatsOf(tats), second*int64(time.Second), true); v.Allowed != want {
				t.Fatalf("second %d, request %d: %+v", second, i, v)
			}
		}
	}
}

func TestNoWindowIsChargedWhenOneRefuses(t *testing.T) {
	limit, err := NewLimit(Window{Requests: 1, Length: time.Second}, Window{Requests: 100, Length: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	tats := make([]moment, 2)
	limit.take(tatsOf(tats), 0, true)
	before := [2]moment{tats[0], tats[1]}
	for range 10 {
		if v := limit.take(tatsOf(tats), 0, true); v.Allowed || v.Windows[1].Remaining != 99 {
			t.Fatalf("%+v", v)
		}
	}
	if before != [2]moment{tats[0], tats[1]} {
		t.Fatal("a refused request was charged")
	}
}

func TestLimitsOutOfRangeAreRefused(t *testing.T) {
	good := Window{Requests: 1, Length: time.Second}
	for name, windows := range map[string][]Window{
		"none":       {},
		"too many":   {good, good, good, good, good},
		"no request": {{Length: time.Second}},
		"too often":  {{Requests: MaxRequests + 1, Length: time.Second}},
		"too short":  {{Requests: 1, Length: MinWindow - 1}},
		"too long":   {{Requests: 1, Length: MaxWindow + 1}},
		"burst":      {{Requests: 1, Length: time.Second, Burst: MaxRequests + 1}},
	} {
		if _, err := NewLimit(windows...); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNoTimeOverflows(f *testing.F) {
	f.Add(uint32(1), int64(MaxWindow), uint32(MaxRequests), int64(math.MaxInt64), uint16(100))
	f.Add(uint32(MaxRequests), int64(MinWindow), uint32(1), int64(0), uint16(3))
	f.Add(uint32(1), int64(MaxWindow), uint32(MaxRequests), int64(horizon), uint16(65535))
	f.Fuzz(func(t *testing.T, requests uint32, length int64, burst uint32, now int64, times uint16) {
		limit, err := NewLimit(Window{Requests: requests, Length: time.Duration(length), Burst: burst})
		if err != nil {
			return
		}
		now = clamp(now)
		tats := make([]moment, 1)
		last := limit.take(tatsOf(tats), now, false).Windows[0]
		for range times {
			v := limit.take(tatsOf(tats), now, true)
			w := v.Windows[0]
			if w.Reset < 0 || v.RetryAfter < 0 || tats[0].ns < 0 || w.Remaining > uint64(MaxRequests) {
				t.Fatalf("%+v, TAT %+v", v, tats[0])
			}
			if v.Allowed && (w.Remaining+1 != last.Remaining || w.Reset <= last.Reset && length/int64(requests) > 0) {
				t.Fatalf("%+v follows %+v", w, last)
			}
			if v.Allowed == (v.RetryAfter > 0) {
				t.Fatalf("%+v", v)
			}
			last = w
		}
	})
}
