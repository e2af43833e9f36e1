package product

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

const (
	manyRoutes = 10_000
	batchSize  = 2_500
	// changesPerRun of one route.
	changesPerRun = 20
)

// oneRouteOfMany fills the environment with routes, then changes one of them again and again.
func (b *bench) oneRouteOfMany(ctx context.Context) error {
	took, err := b.fill(ctx)
	if err != nil {
		return err
	}
	b.report.add(fmt.Sprintf("%d routes written, in batches of %d, and acked by 2 nodes", manyRoutes, batchSize), "", short(took))
	committed, acked := make([]series, runs), make([]series, runs)
	var cpu []float64
	first := 0
	for run := range runs {
		before, err := b.cpu(ctx)
		if err != nil {
			return err
		}
		for n := range changesPerRun {
			took, revision, err := b.editRoute(ctx, run*changesPerRun+n, n%2 == 0)
			if err != nil {
				return err
			}
			if first == 0 {
				first = revision
			}
			if n%2 == 0 {
				acked[run] = append(acked[run], took)
			} else {
				committed[run] = append(committed[run], took)
			}
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		after, err := b.cpu(ctx)
		if err != nil {
			return err
		}
		cpu = append(cpu, (after-before)/changesPerRun/float64(len(b.environment.Edges)))
	}
	onNode, err := b.tookOnNodes(first)
	if err != nil {
		return err
	}
	b.report.add("one route of 10,000 changed: request → committed", "≤ 150 ms", spread(committed))
	b.report.add("one route of 10,000 changed: request → acked by 2 nodes", "", spread(acked))
	b.report.add("one route of 10,000 changed: on a node, from message to in force", "≤ 5 ms", spread([]series{onNode}))
	b.report.add("one route of 10,000 changed: processor time of a node, all in all", "", short(time.Duration(median(cpu)*float64(time.Second))))
	return nil
}

// fill writes all routes, and returns how long that took.
func (b *bench) fill(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	wait := "60s"
	for from := 0; from < manyRoutes; from += batchSize {
		var batch sallyport.ChangesRequest
		for i := from; i < from+batchSize; i++ {
			batch.Operations = append(batch.Operations, sallyport.Operation{Action: "create", Collection: "routes", Body: routeBody(i)})
		}
		made, err := b.api.ApplyChangesWithResponse(ctx, b.environment.Name, &sallyport.ApplyChangesParams{Wait: &wait}, batch)
		if err := sallyport.Check(made, err); err != nil {
			return 0, err
		}
		if applied := made.HTTPResponse.Header.Get("Sallyport-Applied"); applied != "2/2" {
			return 0, fmt.Errorf("%d routes were applied on %q nodes", from+batchSize, applied)
		}
	}
	return time.Since(began), nil
}

// routeBody is one of many routes: 20 hosts, some exact, some templates, some prefixes.
func routeBody(i int) map[string]any {
	path := map[string]any{"prefix": fmt.Sprintf("/service-%d", i)}
	switch i % 3 {
	case 1:
		path = map[string]any{"template": fmt.Sprintf("/service-%d/orders/{id}/lines/{line}", i)}
	case 2:
		path = map[string]any{"exact": fmt.Sprintf("/service-%d/status", i)}
	}
	return map[string]any{
		"name": fmt.Sprintf("route-%d", i), "service": serviceName, "hosts": []any{fmt.Sprintf("api-%d.test", i%20)},
		"paths": []any{path}, "methods": []any{"GET", "POST"},
	}
}

// editRoute moves one route to another path, and returns how long that took and the revision made.
func (b *bench) editRoute(ctx context.Context, n int, wait bool) (time.Duration, int, error) {
	params := &sallyport.PatchRouteParams{}
	if wait {
		most := "30s"
		params.Wait = &most
	}
	began := time.Now()
	patched, err := b.api.PatchRouteWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, b.environment.Name, "route-5001", params,
		map[string]any{"paths": []any{map[string]any{"prefix": fmt.Sprintf("/moved-%d", n)}}})
	took := time.Since(began)
	if err := sallyport.Check(patched, err); err != nil {
		return 0, 0, err
	}
	var revision int
	if _, err := fmt.Sscan(patched.HTTPResponse.Header.Get("Sallyport-Revision"), &revision); err != nil {
		return 0, 0, fmt.Errorf("the change made no revision: %w", err)
	}
	return took, revision, nil
}

// settle returns once both nodes have all that was written.
func (b *bench) settle(ctx context.Context) error {
	_, err := b.editService(ctx, "settled at "+time.Now().String(), true)
	return err
}

// cpu returns the processor time that both edges have used, in seconds.
func (b *bench) cpu(ctx context.Context) (float64, error) {
	var sum float64
	for _, edge := range b.environment.Edges {
		metrics, err := edge.Metrics(ctx)
		if err != nil {
			return 0, err
		}
		sum += metrics.Sum("process_cpu_seconds_total")
	}
	return sum, nil
}

// tookOnNodes reads from the edges' logs how long each revision since the first took there.
func (b *bench) tookOnNodes(first int) (series, error) {
	file, err := os.Open(b.stack.LogFile())
	if err != nil {
		return nil, fmt.Errorf("read the nodes' log: %w", err)
	}
	defer file.Close()
	var all series
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Message string `json:"msg"`
			Lane    string `json:"lane"`
			Number  int    `json:"number"`
			TookUs  int64  `json:"took_us"`
		}
		text := lines.Text()
		if at := strings.IndexByte(text, '{'); at < 0 || json.Unmarshal([]byte(text[at:]), &line) != nil {
			continue
		}
		if line.Message == "in force" && line.Lane == "configuration" && line.Number >= first {
			all = append(all, time.Duration(line.TookUs)*time.Microsecond)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the nodes' log tells of no revision since %d", first)
	}
	return all, lines.Err()
}
