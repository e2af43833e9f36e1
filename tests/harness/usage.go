package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

// UsageKey is what requests are counted together by.
type UsageKey struct {
	// Route and Consumer are ids; "": none.
	Route, Consumer string
	// StatusClass is 1 to 5.
	StatusClass int
	// Verdict is "allowed" or the code of the rejection.
	Verdict string
}

// Usage is how many requests there were.
type Usage map[UsageKey]int

// Total adds them all up.
func (u Usage) Total() int {
	total := 0
	for _, n := range u {
		total += n
	}
	return total
}

// Check says where u isn't what it should be.
func (u Usage) Check(want Usage) error {
	var wrong []string
	keys := maps.Clone(u)
	maps.Copy(keys, want)
	for key := range keys {
		if u[key] != want[key] {
			wrong = append(wrong, fmt.Sprintf("%+v: %d instead of %d", key, u[key], want[key]))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("usage isn't what was sent: %s", strings.Join(wrong, "; "))
}

// Usage returns what the control plane knows of an environment's requests, also of those that an edge counted by a clock that was an hour off.
func (e *Environment) Usage(ctx context.Context) (Usage, error) {
	from, to := time.Now().Add(-2*time.Hour), time.Now().Add(2*time.Hour)
	got, err := e.Stack.API.GetUsageWithResponse(ctx, e.Name, &sallyport.GetUsageParams{
		From: &from, To: &to,
		GroupBy: &[]sallyport.GetUsageParamsGroupBy{"route", "consumer", "status_class", "verdict"},
	})
	if err := sallyport.Check(got, err); err != nil {
		return nil, fmt.Errorf("read the usage of %s: %w", e.Name, err)
	}
	usage := Usage{}
	for _, row := range got.JSON200.Data {
		usage[UsageKey{Route: row.Route, Consumer: row.Consumer, StatusClass: row.StatusClass, Verdict: row.Verdict}] += row.Requests
	}
	return usage, nil
}
