package dataplane

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/listener"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

// limits tell the listener the bounds on clients' connections that the configuration in force sets. It asks per connection and
// per request: what was told stays the same value as long as the settings do.
type limits struct {
	snapshots *snapshot.Holder
	told      atomic.Pointer[told]
}

// told are the bounds of settings; nil: of a node without configuration.
type told struct {
	settings *snapshot.Settings
	limits   *listener.Limits
}

// inForce returns the bounds now.
func (l *limits) inForce() *listener.Limits {
	var settings *snapshot.Settings
	if current := l.snapshots.Load(); current != nil {
		settings = current.Settings
	}
	if last := l.told.Load(); last != nil && last.settings == settings {
		return last.limits
	}
	next := &told{settings: settings, limits: listener.DefaultLimits()}
	if settings != nil {
		next.limits = limitsOf(&settings.Connections)
	}
	l.told.Store(next)
	return next.limits
}

func limitsOf(c *snapshot.ClientConnections) *listener.Limits {
	return &listener.Limits{
		Head: c.Head, Idle: c.Idle, BodyStall: c.BodyStall, BodyRate: c.BodyRate, WriteStall: c.WriteStall,
		MaxConnections: c.Max, MaxConnectionsPerAddress: c.MaxPerAddress,
		HeadBytes: c.HeadBytes, StartLineBytes: c.StartLineBytes, Fields: c.Fields,
	}
}
