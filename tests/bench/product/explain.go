package product

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

// explainsPerRun is how many requests are explained in a run.
const explainsPerRun = 100

// explain asks an edge over the API what it would do, one request after the other.
func (b *bench) explain(ctx context.Context) error {
	all := make([]series, runs)
	for run := range runs {
		for range explainsPerRun {
			began := time.Now()
			answer, err := b.api.ExplainWithResponse(ctx, b.environment.Name, nil, sallyport.HypotheticalRequest{Target: "/nowhere"})
			if err := sallyport.Check(answer, err); err != nil {
				return fmt.Errorf("explain a request: %w", err)
			}
			all[run] = append(all[run], time.Since(began))
		}
	}
	b.report.add("explain: request → answer", "", spread(all))
	return nil
}
