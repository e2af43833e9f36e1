package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// upgradeKills is how many hand-overs are broken off.
func upgradeKills() int { return 4 * kills() }

// taken returns once a next process serves: the one that was started, or another one where that came to nothing.
func taken(t *testing.T, edge *harness.Edge, before harness.Status, next *harness.Process) {
	t.Helper()
	var err error
	for range 200 {
		if next == nil {
			if next, err = edge.StartNext(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(next.Kill)
		}
		if _, err = edge.Became(t.Context(), next, before); err == nil {
			return
		}
		next = nil
	}
	t.Fatalf("no next process serves: %v", err)
}

// While one process takes over from the other, either is killed at any point: before it asked, with the sockets on their way, as it begins to serve,
// while the other answers its last requests. Somebody serves afterwards, whoever had an answer is billed for it, and nobody for more than was asked.
func TestHandOversBrokenOffAtAnyPointBillWhatWasAnswered(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, long{})
	p := s.Protected(upstream.Address)
	spare(s, p)
	edge := s.Edges()[0]
	asked := run(t, s, edge, p.Key.Key)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- no secret
	for round := range upgradeKills() {
		asked.progress(t, 50)
		before, err := edge.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		victim, err := edge.Process()
		if err != nil {
			t.Fatal(err)
		}
		next, err := edge.StartNext()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(next.Kill)
		asked.progress(t, int64(random.IntN(120))) // a moment: some 700 requests a second
		if round%2 == 0 {
			victim, next = next, nil
		}
		victim.Kill()
		taken(t, edge, before, next)
	}
	asked.progress(t, 100)
	asked.end()
	seen := int(asked.answered.Load())
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}
	most := seen + clients*upgradeKills()
	got := 0
	harness.Eventually(t, 2*time.Minute, func() error { // what a process left that was killed is found within ten seconds
		usage, err := s.Environment.Usage(t.Context())
		if got = usage[key]; err == nil && got < seen {
			err = fmt.Errorf("%d requests are billed, %d were answered", got, seen)
		}
		return err
	})
	if last := billed(t, s, key); last > most || last > len(upstream.Requests()) {
		t.Errorf("%d requests were answered and %d billed: want at most %d more, that were on their way at a kill (the service saw %d)",
			seen, last, most-seen, len(upstream.Requests()))
	}
	t.Logf("%d answered, %d billed, after %d hand-overs broken off", seen, got, upgradeKills())
}
