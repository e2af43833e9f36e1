package access

import (
	"strconv"
	"testing"
	"time"
)

func TestACallerThatRunsWildWaitsAndNobodyElseDoes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := NewPace()
	p.now = func() time.Time { return now }
	for i := range paceBurst {
		if wait := p.Wait("tok_wild"); wait != 0 {
			t.Fatalf("it waits %v after %d requests", wait, i)
		}
	}
	wait := p.Wait("tok_wild")
	if wait != time.Second/paceRate {
		t.Fatalf("after the burst it waits %v", wait)
	}
	if p.Wait("tok_calm") != 0 {
		t.Fatal("another caller waits")
	}
	now = now.Add(wait)
	if p.Wait("tok_wild") != 0 {
		t.Fatal("it waits although it has waited: refused requests are counted")
	}
	now = now.Add(time.Second)
	for i := range paceRate {
		if p.Wait("tok_wild") != 0 {
			t.Fatalf("a second later it waits after %d", i)
		}
	}
}

func TestThePaceIsBounded(t *testing.T) {
	p := NewPace()
	for i := range 2 * paceCallers {
		p.Wait(strconv.Itoa(i))
	}
	if n := p.full.Len(); n != paceCallers {
		t.Fatalf("%d callers are kept, %d wanted", n, paceCallers)
	}
}
