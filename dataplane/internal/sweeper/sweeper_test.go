package sweeper

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestATimerFiresOnceAndNotBeforeItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, timer := New(), new(Timer)
		var times atomic.Int32
		go func() { _ = s.Run(t.Context()) }()
		s.Add(timer, func() { times.Add(1) })
		defer s.Remove(timer)
		set := time.Now()
		timer.Set(time.Second)
		for times.Load() == 0 {
			if late := time.Since(set); late > time.Second+2*Look {
				t.Fatalf("nothing after %s", late)
			}
			time.Sleep(Look / 5)
		}
		if early := time.Since(set); early < time.Second {
			t.Fatalf("it fired after %s", early)
		}
		time.Sleep(10 * time.Second)
		if n := times.Load(); n != 1 {
			t.Errorf("it fired %d times", n)
		}
		if timer.Set(time.Second) {
			t.Error("whoever sets it again isn't told that it fired")
		}
	})
}

func TestATimerThatIsStoppedOrRemovedDoesNotFire(t *testing.T) {
	s := New()
	var stopped, removed, kept Timer
	fired := map[*Timer]bool{}
	for _, timer := range []*Timer{&stopped, &removed, &kept} {
		s.Add(timer, func() { fired[timer] = true })
		timer.Set(time.Second)
	}
	if !stopped.Stop() {
		t.Error("it hadn't fired")
	}
	s.Remove(&removed)
	s.look(time.Minute)
	if fired[&stopped] || fired[&removed] || !fired[&kept] {
		t.Errorf("fired: %v", fired)
	}
	if kept.Stop() {
		t.Error("whoever stops it too late isn't told")
	}
}

func TestATimerMaySetItselfAgain(t *testing.T) {
	s, timer, times := New(), new(Timer), 0
	s.Add(timer, func() { times++; timer.Set(time.Second) })
	timer.Set(time.Second)
	for at := range 5 {
		s.look(time.Duration(at) * time.Minute)
	}
	if times != 4 {
		t.Errorf("it fired %d times", times)
	}
}

func TestTheTimeThatPeopleAreToldIsTheSystems(t *testing.T) {
	s := New()
	if behind := time.Since(s.Wall()); behind < 0 || behind > time.Minute {
		t.Errorf("before the first look it is %s behind", behind)
	}
	synctest.Test(t, func(t *testing.T) {
		s := New()
		go func() { _ = s.Run(t.Context()) }()
		time.Sleep(time.Hour)
		if behind := time.Since(s.Wall()); behind > 2*Look {
			t.Errorf("after an hour it is %s behind", behind)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	s, timer := New(), new(Timer)
	s.Add(timer, func() {})
	for b.Loop() {
		timer.Set(time.Second)
		timer.Stop()
	}
}
