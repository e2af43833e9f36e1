//go:build !linux

package postgres

import "syscall"

const needsWatchdog = true

// dieWithParent does nothing here: a [watchdog] stands in for the signal that this system doesn't have.
func dieWithParent(*syscall.SysProcAttr) {}
