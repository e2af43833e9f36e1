package upstream

import (
	"sync/atomic"
)

// counts are what happened to a target.
type counts struct {
	opened        atomic.Uint64
	retries       atomic.Uint64
	foundDead     atomic.Uint64
	ejections     atomic.Uint64
	queueFull     atomic.Uint64
	queueTimeout  atomic.Uint64
	lookupsFailed atomic.Uint64
}
