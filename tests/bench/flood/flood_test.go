package flood

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/bench/load"
)

func TestADearBodyIsJSONOfItsSizeAndOfFewEnoughValuesToBeLookedAtWhole(t *testing.T) {
	for _, size := range []int{10 << 10, 100 << 10} {
		body := dearBody(rand.New(rand.NewPCG(1, 2)), size)
		var read struct{ Items []map[string]string }
		if err := json.Unmarshal([]byte(body), &read); err != nil {
			t.Fatal(err)
		}
		if len(body) < size || len(body) > size+1000 || len(read.Items) > 900 {
			t.Errorf("%d bytes were asked for: %d bytes, %d values", size, len(body), len(read.Items))
		}
	}
}

func TestTheReportComparesRoundByRound(t *testing.T) {
	round := func(slowest time.Duration) outcome {
		all := make(load.Latencies, 100)
		for n := range all {
			all[n] = time.Millisecond
		}
		all[98], all[99] = slowest, slowest
		return outcome{latencies: all}
	}
	calm := []outcome{round(10 * time.Millisecond), round(20 * time.Millisecond), round(40 * time.Millisecond)}
	flooded := []outcome{round(15 * time.Millisecond), round(20 * time.Millisecond), round(80 * time.Millisecond)}
	m := &measurement{
		cfg: Config{Rounds: 3, Each: time.Second}, came: [2]outcomes{{calm, calm}, {flooded, flooded}}, spent: time.Second, lasted: 2 * time.Second,
		flood: answers{sent: 3, status: map[int]int{429: 2, 200: 1}},
	}
	got := m.report()
	for _, want := range []string{"| 1ms | 1ms | 20ms | 20ms | 1.50 (1.00) | 0 calm, 0 flooded |", "3 requests: 1 were answered 200, 2 were answered 429,", "0.50 of a processor"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in:\n%s", want, got)
		}
	}
}
