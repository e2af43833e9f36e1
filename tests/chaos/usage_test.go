package chaos

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	usageDurable   = "sallyport_edge_usage_durable"
	usageUnspooled = "sallyport_edge_usage_unspooled_requests_total"
	usageRefused   = "sallyport_edge_usage_refused_boots_total"
)

// billed returns how many requests the control plane has counted under a key, once it has all of them: those that come after them as well.
func billed(t *testing.T, s *harness.Story, key harness.UsageKey) int {
	t.Helper()
	last := harness.UsageKey{Route: key.Route, StatusClass: 4, Verdict: "credential_missing"}
	for _, edge := range s.Edges() {
		s.Expect(edge, "/", nil, http.StatusUnauthorized, last.Verdict)
	}
	total := 0
	harness.Eventually(t, 2*time.Minute, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		total = usage[key]
		return harness.Usage{last: usage[last]}.Check(harness.Usage{last: len(s.Edges())})
	})
	return total
}

// long answers with more than any buffer on the way holds, so that its end is sent by itself.
type long struct{}

func (long) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	const size = 64 << 10
	w.Header().Set("Content-Length", strconv.Itoa(size))
	_, _ = w.Write(make([]byte, size)) // a client that died is no fault
}

// spare makes one more revision: an edge that is killed often goes back to the one before, which has all that the story asks for.
func spare(s *harness.Story, p harness.Protected) {
	s.Route(sallyport.Route{Name: s.Name("spare"), Service: p.Service.Name, Paths: harness.Exactly("/spare"), Hosts: []string{"spare." + s.Host}})
}

// An edge is killed again and again while it is asked. Whoever had their answer whole is billed for it, and nobody for more than
// what was asked: what was on its way at a kill may count, though its client never had the end of it.
func TestAnEdgeKilledInALoopBillsWhatItAnswered(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, long{})
	p := s.Protected(upstream.Address)
	spare(s, p)
	edge := s.Edges()[0]
	asked := run(t, s, edge, p.Key.Key)
	for range kills() {
		asked.progress(t, 300)
		if err := edge.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	asked.progress(t, 100)
	asked.end()

	metrics := s.Metrics(edge)
	if metrics.Sum(usageDurable) != 1 || metrics.Sum(usageUnspooled)+metrics.Sum(usageRefused) != 0 {
		t.Errorf("what is counted isn't on the disk: durable %v, unspooled %v, refused %v",
			metrics.Sum(usageDurable), metrics.Sum(usageUnspooled), metrics.Sum(usageRefused))
	}
	seen := int(asked.answered.Load())
	got := billed(t, s, harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"})
	onTheirWay := clients * kills()
	if got < seen || got > seen+onTheirWay || got > len(upstream.Requests()) {
		t.Errorf("%d requests were answered and %d billed: want those, and at most %d more that were on their way at a kill (the service saw %d)",
			seen, got, onTheirWay, len(upstream.Requests()))
	}
	t.Logf("%d answered, %d billed, after %d kills", seen, got, kills())
}

// The bus is away all the time while an edge counts, is killed, and counts again. When it is back each request is billed once.
func TestWhatManyBootsCountedWithTheBusDeadIsBilledExactlyOnce(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	spare(s, p)
	edge := s.Edges()[0]
	kill(t)
	answered := 0
	for range kills() {
		asked := run(t, s, edge, p.Key.Key)
		asked.progress(t, 200)
		asked.end() // nothing is on its way
		asked.check(t)
		answered += int(asked.answered.Load())
		if err := edge.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := billed(t, s, harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"})
	if got != answered {
		t.Errorf("%d requests were answered and %d billed", answered, got)
	}
}
