package dataplane

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/listener"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
)

func TestTheListenerIsToldTheBoundsOfTheSettingsInForce(t *testing.T) {
	e := edgetest.New(t, policies.All()...)
	l := &limits{snapshots: &e.Holder}
	if got := l.inForce(); *got != *listener.DefaultLimits() {
		t.Errorf("without configuration: %+v", got)
	}
	e.Configure(t, `{"settings": [{"name": "settings"}]}`)
	if got := l.inForce(); *got != *listener.DefaultLimits() {
		t.Errorf("settings that set none: %+v, the listener by itself has %+v", got, listener.DefaultLimits())
	}
	e.Configure(t, `{"settings": [{"name": "settings", "connections": {
		"head_timeout": "1s", "idle_timeout": "2s", "body_stall": "3s", "body_rate": 4, "write_stall": "5s", "max_connections": 6, "max_connections_per_address": 7,
		"head_bytes": 8000, "start_line_bytes": 900, "fields": 100}}]}`)
	want := listener.Limits{
		Head: time.Second, Idle: 2 * time.Second, BodyStall: 3 * time.Second, BodyRate: 4, WriteStall: 5 * time.Second, MaxConnections: 6, MaxConnectionsPerAddress: 7,
		HeadBytes: 8000, StartLineBytes: 900, Fields: 100,
	}
	got := l.inForce()
	if *got != want {
		t.Errorf("got %+v", got)
	}
	if allocs := testing.AllocsPerRun(10, func() { got = l.inForce() }); allocs != 0 || *got != want {
		t.Errorf("asked again: %v allocations", allocs)
	}
}
