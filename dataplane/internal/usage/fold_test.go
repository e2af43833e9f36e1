package usage

import (
	"encoding/binary"
	"log/slog"
	"testing"

	"github.com/sallyport/sallyport/proto/id"
)

func TestFoldingLosesDetailAndNoCount(t *testing.T) {
	var waiting tally
	for i := range pendingCounters + 1 {
		waiting.count(Key{Minute: int64(i), Verdict: Allowed}, Counts{Requests: 2, RequestBytes: 3})
	}
	fewer := waiting.fold(slog.New(slog.DiscardHandler))
	if waiting.counters.len() > pendingCounters/minutesPerHour+2 || fewer != pendingCounters+1-waiting.counters.len() {
		t.Errorf("%d counters after folding, said to be %d fewer", waiting.counters.len(), fewer)
	}
	var total Counts
	for _, c := range waiting.counters.all() {
		total.add(c.counts)
	}
	if want := uint64(pendingCounters + 1); total.Requests != 2*want || total.RequestBytes != 3*want {
		t.Errorf("folded to %+v, want %d requests and %d bytes", total, 2*want, 3*want)
	}
}

func TestFoldingGivesUpCodesAndRoutesButNeverWhoCalledNorWhetherTheyWereAllowed(t *testing.T) {
	const consumers, perConsumer = 1000, 600
	var waiting tally
	for i := range consumers * perConsumer { // all on one day: only verdict and route tell a consumer's counters apart
		key := Key{Verdict: []string{Allowed, "rate_limited"}[i%2], Route: id.ID{byte(i / 2 % 256), byte(i % 3)}}
		binary.BigEndian.PutUint64(key.Consumer[:], uint64(i/perConsumer)+1)
		waiting.count(key, Counts{Requests: 1})
	}
	waiting.fold(slog.New(slog.DiscardHandler))
	if waiting.counters.len() > pendingCounters {
		t.Errorf("%d counters wait, more than %d", waiting.counters.len(), pendingCounters)
	}
	billed, refused := map[id.ID]uint64{}, map[id.ID]uint64{}
	for _, e := range waiting.counters.all() {
		key, counts := e.key, e.counts
		if key.Verdict == Allowed {
			billed[key.Consumer] += counts.Requests
		} else {
			refused[key.Consumer] += counts.Requests
		}
	}
	if len(billed) != consumers {
		t.Fatalf("%d consumers are left of %d", len(billed), consumers)
	}
	for consumer, requests := range billed {
		if requests != perConsumer/2 || refused[consumer] != perConsumer/2 {
			t.Fatalf("%x has %d requests allowed and %d refused, want %d of both", consumer, requests, refused[consumer], perConsumer/2)
		}
	}
}

func TestCredentialsFoldToDaysAndKeepTheirLastUse(t *testing.T) {
	var waiting tally
	const days, each = 9000, 24
	for day := range days {
		for hour := range each {
			at := int64(day*each + hour)
			waiting.use(CredentialKey{Credential: id.ID{byte(day), byte(day >> 8)}, Hour: at}, CredentialCounts{Requests: 1, LastUsedMs: at * msPerHour})
		}
	}
	waiting.fold(slog.New(slog.DiscardHandler))
	if waiting.credentials.len() != days {
		t.Fatalf("%d counts of credentials, want %d", waiting.credentials.len(), days)
	}
	for _, e := range waiting.credentials.all() {
		key, counts := e.key, e.counts
		if want := (CredentialCounts{Requests: each, LastUsedMs: (key.Hour + each - 1) * msPerHour}); counts != want {
			t.Fatalf("%+v: %+v, want %+v", key, counts, want)
		}
	}
}

// Somebody asks for much that differs: the counters of a minute stay bounded, round after round, and nobody else pays for it.
func TestAMinuteThatHasTooManyCountersGivesUpCodesThenRoutesNeverConsumers(t *testing.T) {
	var limit minuteCap
	var total tally
	folded := 0
	const rounds, each = 8, 5000
	for round := range rounds {
		var more tally
		for n := range each {
			key := Key{Minute: 7, StatusClass: 4, Verdict: []string{"not_found", "rate_limited", Allowed}[n%3], Consumer: id.ID{byte(n % 100)}}
			binary.BigEndian.PutUint64(key.Route[:], uint64(round*each+n))
			more.count(key, Counts{Requests: 1})
		}
		folded += limit.limit(&more)
		total.merge(&more)
	}
	perConsumer, codesBefore := map[id.ID]uint64{}, false
	var requests uint64
	for _, e := range total.counters.all() {
		key, counts := e.key, e.counts
		perConsumer[key.Consumer] += counts.Requests
		requests += counts.Requests
		codesBefore = codesBefore || key.Verdict == Folded && !key.Route.IsZero()
	}
	if total.counters.len() > minuteCounters+2*100 {
		t.Errorf("%d counters in a minute, want %d and two for each consumer", total.counters.len(), minuteCounters)
	}
	if requests != rounds*each || len(perConsumer) != 100 || folded == 0 || !codesBefore {
		t.Errorf("%d requests of %d consumers, %d folded, codes before routes: %v", requests, len(perConsumer), folded, codesBefore)
	}
	for consumer, n := range perConsumer {
		if n != rounds*each/100 {
			t.Fatalf("%x has %d requests, want %d", consumer, n, rounds*each/100)
		}
	}
}
