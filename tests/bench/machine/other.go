//go:build !linux

package machine

import "time"

// Become says that the system isn't Linux.
func Become([]int, string, []string) error { return ErrSystem }

// Stay says that the system isn't Linux.
func Stay([]int) error { return ErrSystem }

// Available says that the system isn't Linux.
func Available() ([]int, error) { return nil, ErrSystem }

func processorTime(int) (time.Duration, error) { return 0, ErrSystem }

// Ticker is none.
type Ticker struct{}

// NewTicker says that the system isn't Linux.
func NewTicker(time.Duration) (*Ticker, error) { return nil, ErrSystem }

// Wait says that the system isn't Linux.
func (*Ticker) Wait() error { return ErrSystem }

// Close does nothing.
func (*Ticker) Close() error { return nil }
