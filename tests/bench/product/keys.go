package product

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	manyKeys     = 1_000_000
	keysOfOne    = 4 // consumer
	keyBatchSize = 10_000
	// settled is how long a node is left alone before its memory is looked at.
	settled = 10 * time.Second
)

// millionKeys fills the environment, which has 10,000 routes by now, with a million keys of 250,000 consumers, and starts edges: one from
// its disk, and new ones that get everything over the wire. A new one's time includes its enrolment.
func (b *bench) millionKeys(ctx context.Context) error {
	empty, err := b.emptyNode(ctx)
	if err != nil {
		return err
	}
	took, err := b.fillKeys(ctx)
	if err != nil {
		return err
	}
	b.report.add(fmt.Sprintf("%d keys of %d consumers written, in batches of %d", manyKeys, manyKeys/keysOfOne, keyBatchSize), "", took.Round(time.Second).String())
	var fromDisk, overWire series
	var memory []float64
	for range runs {
		began := time.Now()
		added, err := b.environment.AddEdge(ctx)
		if err != nil {
			return err
		}
		overWire = append(overWire, time.Since(began))
		if err := added.Stop(ctx); err != nil {
			return fmt.Errorf("stop a node: %w", err)
		}
		began = time.Now()
		if err := added.Start(ctx); err != nil {
			return fmt.Errorf("start a node again: %w", err)
		}
		fromDisk = append(fromDisk, time.Since(began))
		used, err := resident(ctx, added)
		if err != nil {
			return err
		}
		memory = append(memory, used-empty)
		if err := added.Stop(ctx); err != nil {
			return fmt.Errorf("stop a node: %w", err)
		}
		b.environment.Edges = b.environment.Edges[:len(b.environment.Edges)-1]
	}
	const what = "edge with 10,000 routes and 1,000,000 keys: "
	b.report.add(what+"start from its disk until ready", "≤ 1 s", spread([]series{fromDisk}))
	b.report.add(what+"start of a new one until ready, over the wire", "≤ 2 s", spread([]series{overWire}))
	b.report.add(what+"memory over an empty one's", "≤ 120 MB", fmt.Sprintf("%.0f MB", median(memory)))
	return nil
}

// emptyNode returns the memory of a node that has nothing to hold, in MB.
func (b *bench) emptyNode(ctx context.Context) (used float64, failed error) {
	environment, err := b.stack.NewEnvironment(ctx, 1)
	if err != nil {
		return 0, fmt.Errorf("start an empty node: %w", err)
	}
	defer func() {
		if err := environment.Close(); err != nil && failed == nil {
			failed = err
		}
	}()
	return resident(ctx, environment.Edges[0])
}

// resident returns a node's resident memory in MB, once it has come to rest.
func resident(ctx context.Context, edge *harness.Edge) (float64, error) {
	timer := time.NewTimer(settled)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-timer.C:
	}
	metrics, err := edge.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	return metrics.Sum("process_resident_memory_bytes") / 1e6, nil
}

// fillKeys writes consumers and their keys, and returns how long that took.
func (b *bench) fillKeys(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	const consumersOfBatch = keyBatchSize / (1 + keysOfOne)
	for from := 0; from < manyKeys/keysOfOne; from += consumersOfBatch {
		var batch sallyport.ChangesRequest
		for i := from; i < from+consumersOfBatch; i++ {
			consumer := fmt.Sprintf("consumer-%d", i)
			batch.Operations = append(batch.Operations, sallyport.Operation{Action: "create", Collection: "consumers", Body: map[string]any{"name": consumer}})
			for k := range keysOfOne {
				batch.Operations = append(batch.Operations, sallyport.Operation{
					Action: "create", Collection: "api-keys",
					Body: map[string]any{"name": fmt.Sprintf("key-%d-%d", i, k), "consumer": consumer, "scopes": []any{"read", fmt.Sprintf("team-%d", i%50)}},
				})
			}
		}
		made, err := b.api.ApplyChangesWithResponse(ctx, b.environment.Name, nil, batch)
		if err := sallyport.Check(made, err); err != nil {
			return 0, fmt.Errorf("write keys from the %d. consumer on: %w", from, err)
		}
	}
	return time.Since(began), nil
}
