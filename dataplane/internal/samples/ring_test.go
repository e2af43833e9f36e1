package samples_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/proto/id"
)

var (
	route, other   = id.ID{1}, id.ID{2}
	policy, second = id.ID{9}, id.ID{8}
)

// clock is moved by hand.
type clock struct{ now time.Time }

func newRing(t *testing.T, most int) (*samples.Ring, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	ring, err := samples.New(most, func() time.Time { return c.now })
	if err != nil {
		t.Fatal(err)
	}
	return ring, c
}

func pathsOf(r *samples.Ring, route, policy id.ID) []string {
	var paths []string
	for s := range r.Of(route, policy) {
		paths = append(paths, s.Sample.Path)
	}
	return paths
}

func TestASampleComesBackAsItWas(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, samples.Most)
	for name, s := range map[string]*samples.Sample{
		"nothing in it": {},
		"everything": {
			Method: "POST", Path: "/a", Query: "b=c&d", Proto: "HTTP/1.1", Host: "api.test:80", Body: []byte("x=\x00\xff"), Client: netip.MustParseAddr("192.0.2.1"),
			Refused: true, Header: []samples.Field{{Name: "A", Value: "1"}, {Name: "A", Value: ""}},
		},
		"an empty body": {Body: []byte{}, Client: netip.MustParseAddr("2001:db8::1")},
	} {
		of := id.New(time.Now())
		ring.Keeper(policy, 1, time.Hour).Keep(of, s)
		found := 0
		for got := range ring.Of(of, policy) {
			found++
			if !reflect.DeepEqual(&got.Sample, s) {
				t.Errorf("%s: got %+v, want %+v", name, got.Sample, s)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d are kept", name, found)
		}
	}
}

func TestSamplesAreGoneWithTheirTimeAndAfterADayAtMost(t *testing.T) {
	t.Parallel()
	ring, clock := newRing(t, samples.Most)
	begin := clock.now
	ring.Keeper(policy, 1, time.Hour).Keep(route, &samples.Sample{Path: "/hour"})
	ring.Keeper(policy, 1, 1000*time.Hour).Keep(route, &samples.Sample{Path: "/day", Refused: true})
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{time.Hour - 1, "/day /hour"}, {time.Hour, "/day"}, {24*time.Hour - 1, "/day"}, {24 * time.Hour, ""},
	} {
		clock.now = begin.Add(step.after)
		if got := strings.Join(pathsOf(ring, route, policy), " "); got != step.want {
			t.Errorf("after %v there are %q, want %q", step.after, got, step.want)
		}
	}
	ring.Sweep()
	if s := ring.Stats(); s.Samples != 0 || s.Bytes != 0 {
		t.Errorf("swept, it still holds %+v", s)
	}
}

func TestExpiredSamplesGoWithoutARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ring, err := samples.New(samples.Most, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = ring.Run(t.Context()) }()
		ring.Keeper(policy, 1, time.Minute).Keep(route, &samples.Sample{Path: "/"})
		time.Sleep(time.Minute + 31*time.Second)
		synctest.Wait()
		if s := ring.Stats(); s.Samples != 0 {
			t.Errorf("it still holds %+v", s)
		}
	})
}

func TestARingStaysWithinItsBytesAndNoRouteTakesTheRoomOfOthers(t *testing.T) {
	t.Parallel()
	const most = 256 << 10
	ring, _ := newRing(t, most)
	keeper := ring.Keeper(policy, 1, time.Hour)
	keeper.Keep(other, &samples.Sample{Path: "/benign"})
	keeper.Keep(other, &samples.Sample{Path: "/refused", Refused: true})
	body := []byte(strings.Repeat("a", 4000))
	for range 1000 {
		keeper.Keep(route, &samples.Sample{Path: "/flood", Body: body})
		keeper.Keep(route, &samples.Sample{Path: "/flood", Body: body, Refused: true})
	}
	if s := ring.Stats(); s.Bytes > most || s.Dropped == 0 || s.Samples < 40 {
		t.Errorf("it holds %+v of %d bytes", s, most)
	}
	if got := strings.Join(pathsOf(ring, other, policy), " "); got != "/refused /benign" {
		t.Errorf("of the other route are left %q", got)
	}
	keeper.Keep(other, &samples.Sample{Path: "/huge", Body: make([]byte, most/16)})
	if got := strings.Join(pathsOf(ring, other, policy), " "); got != "/refused /benign" {
		t.Errorf("a sample that takes the room of many is kept: %q", got)
	}
}

func TestAPolicyThatDoesNotAskKeepsNothingAndSeesNothingOfOthers(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, samples.Most)
	var none *samples.Ring
	for name, keeper := range map[string]*samples.Keeper{"no ring": none.Keeper(policy, 1, time.Hour), "no rate": ring.Keeper(policy, 0, time.Hour)} {
		if keeper.Wants(true) {
			t.Errorf("%s: it wants samples", name)
		}
	}
	ring.Keeper(policy, 1, time.Hour).Keep(route, &samples.Sample{Path: "/"})
	if got := pathsOf(ring, route, second); got != nil {
		t.Errorf("another policy sees %q", got)
	}
	if got := pathsOf(none, route, policy); got != nil {
		t.Errorf("a node without samples has %q", got)
	}
}

func TestOneOfSoManyIsKeptAndEachThatIsRefused(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, samples.Most)
	keeper := ring.Keeper(policy, 10, time.Hour)
	passed := 0
	for range 100 {
		if keeper.Wants(false) {
			passed++
		}
		if !keeper.Wants(true) {
			t.Fatal("one that was refused isn't kept")
		}
	}
	if passed != 10 {
		t.Errorf("%d of 100 that passed are kept, want 10", passed)
	}
}

func TestSamplesLieSealedInMemory(t *testing.T) {
	ring, _ := newRing(t, samples.Most)
	secret := "only-in-this-sample-" + id.Text("x", id.New(time.Now()))
	sealed := samples.Sealed(ring, func() {
		ring.Keeper(policy, 1, time.Hour).Keep(route, &samples.Sample{Path: "/" + secret, Body: []byte(secret)})
	}, route)
	runtime.GC()
	if len(sealed) == 0 {
		t.Fatal("nothing is kept")
	}
	for _, s := range sealed {
		if bytes.Contains(s, []byte(secret)) || bytes.Contains(s, []byte("only-in")) {
			t.Error("a sample lies in memory as it came")
		}
	}
}
