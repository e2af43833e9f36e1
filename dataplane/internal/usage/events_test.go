package usage

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/id"
)

func TestEachRejectedRequestIsToldOfOrCountedAsDropped(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	const rejected = 20 * 200
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
	if len(got.events) != 2*int(places[Refused]) || uint64(len(got.events))+got.dropped != rejected {
		t.Errorf("told of %d requests, %d dropped; want %d and all others", len(got.events), got.dropped, 2*int(places[Refused]))
	}
	if got.requests != rejected {
		t.Errorf("%d requests are counted, want all %d", got.requests, rejected)
	}
}

func TestOfTheAllowedRequestsThoseSampledAndThoseThatAShadowRefusesAreToldOfAsFarAsThereIsRoom(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	sampled, shadowed := request(1), request(1)
	sampled.Sampled, shadowed.ShadowVerdict = true, "rate_limited"
	for range places[Sampled] + 5 {
		ledger.Recorder().Record(4, request(1))
		ledger.Recorder().Record(4, sampled)
		ledger.Recorder().Record(4, shadowed)
	}
	if ledger.Recorder().HasRoom(Sampled) || ledger.Recorder().HasRoom(ShadowRefused) || !ledger.Recorder().HasRoom(Refused) {
		t.Error("there is room where there is none, or none where there is")
	}
	kept, dropped := ledger.recorder.events.take()
	inShadow := 0
	for _, event := range kept {
		if event.GetShadowVerdict() != "" {
			inShadow++
		}
	}
	if len(kept) != int(places[Sampled]+places[ShadowRefused]) || inShadow != int(places[ShadowRefused]) || dropped != 0 {
		t.Errorf("%d are told of, %d of them for a policy in shadow, and %d dropped", len(kept), inShadow, dropped)
	}
	if !ledger.Recorder().HasRoom(Sampled) {
		t.Error("there is no room in the next round")
	}
}

func TestWhatWaitsOfSingleRequestsIsBounded(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	rounds := 2 * waitingEvents / int(places[Refused])
	for range rounds {
		for range int(places[Refused]) {
			ledger.Recorder().Record(0, request(11))
		}
		ledger.keep()
	}
	w := &ledger.current.waiting
	if len(w.events) != waitingEvents || w.dropped != uint64(rounds*int(places[Refused])-waitingEvents) {
		t.Errorf("%d wait and %d are dropped, want %d and the others", len(w.events), w.dropped, waitingEvents)
	}
}

func TestASingleRequestThatNoMessageCanHoldIsDroppedAndCountedAndHoldsUpNobody(t *testing.T) {
	ledger, bus := Open(config(t, t.TempDir(), "boot")), newBus()
	defer func() { _ = ledger.close() }()
	broken := request(11)
	broken.ShadowVerdict = "\xff"
	ledger.Recorder().Record(0, broken)
	ledger.Recorder().Record(0, request(11))
	ledger.keep()
	if !NewSender(ledger, bus, ledger.cfg.Log).round(t.Context()) || !ledger.durable() {
		t.Fatal("something is left, or the disk isn't used any more")
	}
	if got := bus.sums(t); got.requests != 2 || len(got.events) != 1 || got.dropped != 1 {
		t.Errorf("%d requests were counted, %d told of, %d dropped; want 2, 1, 1", got.requests, len(got.events), got.dropped)
	}
}

func TestKeysThatCallersPutWhereNoneBelongAreMasked(t *testing.T) {
	for text, want := range map[string]string{
		"/a": "/a", "/reset/spk_test_0123abcABC_x/now": "/reset/spk_***/now", "spk_a spk_b": "spk_*** spk_***", "spk_": "spk_***",
	} {
		if got := Cut(text, maxText); got != want {
			t.Errorf("%q is told as %q", text, got)
		}
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

func TestAWatchedCredentialIsToldOfOnceInAWhileFromEachAddress(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	use := func(address string, minute int64) {
		q := request(1)
		q.Watched, q.Credential, q.Client, q.TimeMs = true, id.ID{7}, netip.MustParseAddr(address), minute*msPerMinute
		ledger.Recorder().Record(3, q)
	}
	for range 10 {
		use("192.0.2.1", 100)
		use("192.0.2.2", 100)
	}
	use("192.0.2.1", 104)
	use("192.0.2.1", 105)
	ledger.Recorder().Record(3, request(1))
	kept, dropped := ledger.recorder.events.take()
	var from []string
	for _, event := range kept {
		address, _ := netip.AddrFromSlice(event.GetClient())
		from = append(from, address.String())
	}
	if want := []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}; !slices.Equal(from, want) || dropped != 0 {
		t.Errorf("told of from %v, want %v; %d dropped", from, want, dropped)
	}
}

func TestWhatIsRememberedOfWatchedCredentialsIsBoundedAndNoneIsGivenUpWithoutHavingBeenToldOf(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	told := 0
	for n := range 2*watchedPairs + 10 {
		q := request(1)
		q.Watched, q.Credential, q.Client = true, id.ID{7}, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		if ledger.Recorder().Record(3, q); n%int(places[Watched]) == int(places[Watched])-1 {
			kept, _ := ledger.recorder.events.take()
			told += len(kept)
		}
	}
	kept, _ := ledger.recorder.events.take()
	if told += len(kept); told != 2*watchedPairs+10 || len(ledger.recorder.events.watch.told) > watchedPairs {
		t.Errorf("told of %d addresses of %d, and remembers %d", told, 2*watchedPairs+10, len(ledger.recorder.events.watch.told))
	}
	// Beyond the room of one round nothing is remembered that wasn't told of.
	for n := range 2 * int(places[Watched]) {
		q := request(1)
		q.Watched, q.Credential, q.Client = true, id.ID{8}, netip.AddrFrom4([4]byte{10, 9, 9, byte(n)})
		ledger.Recorder().Record(3, q)
	}
	late := request(1)
	late.Watched, late.Credential, late.Client = true, id.ID{8}, netip.MustParseAddr("10.9.9.39")
	ledger.recorder.events.take()
	ledger.Recorder().Record(3, late)
	if kept, _ := ledger.recorder.events.take(); len(kept) != 1 {
		t.Error("an address for which there was no room isn't told of once there is")
	}
}
