//go:build !linux

package postgres

import (
	"syscall"
	"time"
)

// boundSilence leaves it to the system how long a connection may be silent: only Linux can be told.
func boundSilence(syscall.RawConn, time.Duration) error { return nil }
