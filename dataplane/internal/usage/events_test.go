package usage

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/id"
)

func TestEachRejectedRequestIsToldOfOrCountedAsDropped(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	const rejected = 20 * roundRejections
	for n := range rejected {
		ledger.Recorder().Record(uint32(n), request(11))
		if n == rejected/2 {
			ledger.keep()
		}
	}
	ledger.keep()
	bus := newBus()
	NewSender(ledger, bus, ledger.cfg.Log).round(t.Context())
	got := bus.sums(t)
	if len(got.events) != 2*roundRejections || uint64(len(got.events))+got.dropped != rejected {
		t.Errorf("told of %d requests, %d dropped; want %d and all others", len(got.events), got.dropped, 2*roundRejections)
	}
	if got.requests != rejected {
		t.Errorf("%d requests are counted, want all %d", got.requests, rejected)
	}
}

func TestSomeOfTheAllowedRequestsAreToldOf(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	for range 3 * sampleEvery {
		ledger.Recorder().Record(4, request(1))
	}
	if kept, dropped := ledger.recorder.events.take(); len(kept) != 3 || dropped != 0 {
		t.Errorf("%d are told of and %d dropped, want one in %d", len(kept), dropped, sampleEvery)
	}
}

func TestWhatWaitsOfSingleRequestsIsBounded(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	const rounds = 2 * waitingEvents / roundRejections
	for range rounds {
		for range roundRejections {
			ledger.Recorder().Record(0, request(11))
		}
		ledger.keep()
	}
	w := &ledger.current.waiting
	if len(w.events) != waitingEvents || w.dropped != rounds*roundRejections-waitingEvents {
		t.Errorf("%d wait and %d are dropped, want %d and the others", len(w.events), w.dropped, waitingEvents)
	}
}

func TestASingleRequestIsToldOfWithoutItsQueryAndCut(t *testing.T) {
	q := request(11)
	q.ID, q.Policy, q.Revision, q.UpstreamUs = id.ID{9}, id.ID{8}, 17, 4
	q.Method, q.Host = "GET", "api.example"
	q.Path = "/" + strings.Repeat("ü", maxText)
	q.Client = netip.MustParseAddr("192.0.2.7")
	event := q.event()
	if path := event.GetPath(); len(path) > maxText || !strings.HasPrefix(path, "/üü") || strings.ContainsRune(path, '\uFFFD') {
		t.Errorf("the path is %q, of %d bytes", path, len(path))
	}
	if event.GetRequestId() != id.Text(id.Request, id.ID{9}) || event.GetVerdict() != "credential_missing" || event.GetStatus() != 401 ||
		netip.AddrFrom4([4]byte(event.GetClient())) != q.Client || id.ID(event.GetPolicy()) != q.Policy || event.GetRevision() != 17 {
		t.Errorf("told of as %v", event)
	}
	if event.GetConsumer() == nil || event.GetCredential() != nil {
		t.Errorf("who called is told of as %v", event)
	}
}
