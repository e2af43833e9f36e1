package pipeline

import (
	"context"
	"errors"
	"sync"
)

// ErrGone is the cause with which an exchange is aborted whose client is gone.
var ErrGone = errors.New("the client is gone")

// Cutter is something that an exchange waits for, and that can be made to fail.
type Cutter interface {
	// Cut makes what waits fail, soon. It may be called by any goroutine, more than once, and doesn't wait.
	Cut()
}

// Abort is how other goroutines end an exchange: its client is gone, its caller isn't let in any more. It costs a plain exchange no
// allocation, which a context of its own would. It is safe for concurrent use.
type Abort struct {
	mu    sync.Mutex
	cause error
	held  Cutter
	stage Cutter

	because context.CancelCauseFunc // Because, made once
}

func newAbort() *Abort {
	a := new(Abort)
	a.because = a.Because
	return a
}

// Because aborts the exchange; the first cause stays, and nil is none.
func (a *Abort) Because(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cause == nil || a.cause != nil {
		return
	}
	a.cause = cause
	for _, c := range []Cutter{a.held, a.stage} {
		if c != nil {
			c.Cut()
		}
	}
}

// Func is Because as a function that lives as long as the exchange's memory.
func (a *Abort) Func() context.CancelCauseFunc { return a.because }

// Hold sees to it that c is cut when the exchange is aborted; at once, with the cause returned, if it was already. One thing is held at a time;
// nil: nothing, and once Hold has returned, what was held before won't be cut any more.
func (a *Abort) Hold(c Cutter) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = c
	if a.cause != nil && c != nil {
		c.Cut()
	}
	return a.cause
}

// HoldStage is Hold for what a stage waits for while the exchange may hold something else: the service's answer.
func (a *Abort) HoldStage(c Cutter) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stage = c
	if a.cause != nil && c != nil {
		c.Cut()
	}
	return a.cause
}

// Cause returns why the exchange was aborted; nil: it wasn't.
func (a *Abort) Cause() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cause
}

func (a *Abort) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cause, a.held, a.stage = nil, nil, nil
}
