package product

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	serviceName  = "bench"
	consumerName = "bench"
	routeName    = "bench"
	host         = "bench.test"
	// writesPerRun are the writes of which one run's tail is told.
	writesPerRun = 200
	keysPerRun   = 30
)

// bench measures one environment of two edges.
type bench struct {
	environment *harness.Environment
	api         *sallyport.ClientWithResponses
	stack       *harness.Stack
	report      *report
}

// prepare makes a service behind API keys.
func (b *bench) prepare(ctx context.Context, target string) error {
	service, err := b.api.CreateServiceWithResponse(ctx, b.environment.Name, nil, sallyport.Service{
		Name: serviceName, Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: target}}},
	})
	if err := sallyport.Check(service, err); err != nil {
		return err
	}
	policy, err := b.api.CreatePolicyWithResponse(ctx, b.environment.Name, nil, harness.APIKeys("keys", sallyport.Attachment{Environment: true}))
	if err := sallyport.Check(policy, err); err != nil {
		return err
	}
	route, err := b.api.CreateRouteWithResponse(ctx, b.environment.Name, nil, sallyport.Route{
		Name: routeName, Service: serviceName, Hosts: []string{host}, Paths: harness.Below("/"),
	})
	if err := sallyport.Check(route, err); err != nil {
		return err
	}
	consumer, err := b.api.CreateConsumerWithResponse(ctx, b.environment.Name, nil, sallyport.Consumer{Name: consumerName})
	return sallyport.Check(consumer, err)
}

// commitToAck writes with ?wait=, which returns once both edges have acknowledged, and without, which returns at the
// commit: the difference of the medians is what the way to the edges and back takes.
func (b *bench) commitToAck(ctx context.Context) error {
	waiting, committed := make([]series, runs), make([]series, runs)
	for run := range runs {
		for n := range writesPerRun {
			took, err := b.editService(ctx, fmt.Sprintf("waiting %d %d", run, n), true)
			if err != nil {
				return err
			}
			waiting[run] = append(waiting[run], took)
		}
		for n := range writesPerRun {
			took, err := b.editService(ctx, fmt.Sprintf("not waiting %d %d", run, n), false)
			if err != nil {
				return err
			}
			committed[run] = append(committed[run], took)
		}
	}
	b.report.add("configuration write: request → committed", "", spread(committed))
	b.report.add(fmt.Sprintf("configuration write: request → committed → acked by 2 nodes (%d writes a run)", writesPerRun), "p99 ≤ 30 ms from the commit", spread(waiting))
	return nil
}

// editService changes a service, and returns how long that took.
func (b *bench) editService(ctx context.Context, description string, wait bool) (time.Duration, error) {
	params := &sallyport.PatchServiceParams{}
	if wait {
		most := "30s"
		params.Wait = &most
	}
	began := time.Now()
	patched, err := b.api.PatchServiceWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, b.environment.Name, serviceName, params,
		map[string]any{"description": description})
	took := time.Since(began)
	if err := sallyport.Check(patched, err); err != nil {
		return 0, err
	}
	if applied := patched.HTTPResponse.Header.Get("Sallyport-Applied"); wait && applied != "2/2" {
		return 0, fmt.Errorf("the write was applied on %q nodes", applied)
	}
	return took, nil
}

// revocation revokes keys that both edges are asked with all the time.
func (b *bench) revocation(ctx context.Context) error {
	fromRequest, fromCommit := make([]series, runs), make([]series, runs)
	for run := range runs {
		for n := range keysPerRun {
			request, commit, err := b.revokeOne(ctx, strconv.Itoa(run)+"-"+strconv.Itoa(n))
			if err != nil {
				return err
			}
			fromRequest[run] = append(fromRequest[run], request)
			fromCommit[run] = append(fromCommit[run], commit)
		}
	}
	b.report.add("key revoked: request → refused on both nodes", "", spread(fromRequest))
	b.report.add("key revoked: answered to the caller → refused on both nodes", "", spread(fromCommit))
	return nil
}

// revokeOne makes a key and revokes it. It returns how long the later of both edges went on to take it, since the request
// and since its answer (0: it was refused before that).
func (b *bench) revokeOne(ctx context.Context, name string) (sinceRequest, sinceAnswer time.Duration, _ error) {
	wait := "30s"
	made, err := b.api.CreateAPIKeyWithResponse(ctx, b.environment.Name, &sallyport.CreateAPIKeyParams{Wait: &wait},
		sallyport.APIKey{Name: "key-" + name, Consumer: consumerName})
	if err := sallyport.Check(made, err); err != nil {
		return 0, 0, err
	}
	refusedAt := make([]time.Time, len(b.environment.Edges))
	failed := make([]error, len(b.environment.Edges))
	var asking, warm sync.WaitGroup
	warm.Add(len(b.environment.Edges))
	for n, edge := range b.environment.Edges {
		asking.Go(func() { refusedAt[n], failed[n] = untilRefused(ctx, edge, made.JSON201.Key, warm.Done) })
	}
	warm.Wait()
	began := time.Now()
	gone, err := b.api.DeleteAPIKeyWithResponse(ctx, b.environment.Name, made.JSON201.ID, nil)
	answered := time.Now()
	if err := sallyport.Check(gone, err); err != nil {
		return 0, 0, err
	}
	asking.Wait()
	last := began
	for n := range refusedAt {
		if failed[n] != nil {
			return 0, 0, failed[n]
		}
		if refusedAt[n].After(last) {
			last = refusedAt[n]
		}
	}
	return last.Sub(began), max(last.Sub(answered), 0), nil
}

// refusalBound is how long a revoked key may be taken before the measurement gives up.
const refusalBound = 30 * time.Second

// untilRefused asks without a pause, and returns when the first refusal was there. warmed is called after the first answer.
func untilRefused(ctx context.Context, edge *harness.Edge, key string, warmed func()) (time.Time, error) {
	warmed = sync.OnceFunc(warmed)
	defer warmed()
	for end := time.Now().Add(refusalBound); time.Now().Before(end); {
		answer, err := edge.Do(ctx, harness.Request{Path: "/", Host: host, Header: harness.WithKey(key)})
		if err != nil {
			return time.Time{}, err
		}
		switch answer.Status {
		case http.StatusOK:
			warmed()
		case http.StatusUnauthorized:
			return time.Now(), nil
		default:
			return time.Time{}, fmt.Errorf("%s answered %s", edge.Name, answer)
		}
	}
	return time.Time{}, fmt.Errorf("%s takes a revoked key after %s", edge.Name, refusalBound)
}
