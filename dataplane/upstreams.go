package dataplane

import "github.com/sallyport/sallyport/dataplane/internal/admin"

// upstreamSamples are of the services' targets.
func (n *node) upstreamSamples(one func(string, float64, ...string)) {
	for _, s := range n.upstreams.Stats() {
		one(admin.UpstreamConnections, float64(s.Idle), s.Target, "idle")
		one(admin.UpstreamConnections, float64(max(s.Open-s.Idle, 0)), s.Target, "in_use")
		one(admin.UpstreamWaiting, float64(s.Waiting), s.Target)
		one(admin.UpstreamEjected, float64(s.Ejected), s.Target)
		for _, event := range []struct {
			name  string
			count uint64
		}{
			{"opened", s.Opened},
			{"retry", s.Retried},
			{"dead", s.Dead},
			{"ejected", s.Ejections},
			{"queue_full", s.QueueFull},
			{"queue_timeout", s.QueueTimeouts},
			{"lookup_failed", s.LookupsFailed},
		} {
			one(admin.UpstreamEvents, float64(event.count), s.Target, event.name)
		}
	}
}
