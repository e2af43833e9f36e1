package pipeline

import (
	"errors"
	"testing"
)

type cuts int

func (c *cuts) Cut() { *c++ }

func TestWhatIsHeldIsCutOnce(t *testing.T) {
	a := newAbort()
	var held cuts
	if err := a.Hold(&held); err != nil {
		t.Fatal(err)
	}
	a.Func()(nil)
	if held != 0 || a.Cause() != nil {
		t.Fatal("no cause aborts nothing")
	}
	a.Func()(ErrGone)
	a.Because(errors.New("another"))
	if held != 1 || !errors.Is(a.Cause(), ErrGone) {
		t.Errorf("cut %d times, cause %v", held, a.Cause())
	}
}

func TestWhatIsHeldTooLateIsCutAtOnce(t *testing.T) {
	a := newAbort()
	a.Because(ErrGone)
	var held cuts
	if err := a.Hold(&held); !errors.Is(err, ErrGone) || held != 1 {
		t.Errorf("%v, cut %d times", err, held)
	}
}

func TestWhatIsHeldNoMoreIsntCut(t *testing.T) {
	a := newAbort()
	var held cuts
	_ = a.Hold(&held)
	_ = a.Hold(nil)
	a.Because(ErrGone)
	if held != 0 {
		t.Error("it was cut")
	}
}

func TestAnEmptiedExchangeIsNotAborted(t *testing.T) {
	var pool Pool
	ex := pool.Get()
	ex.Abort.Because(ErrGone)
	pool.Put(ex)
	if ex.Abort.Cause() != nil {
		t.Error("the next request begins aborted")
	}
}
