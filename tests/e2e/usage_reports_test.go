package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// report asks for the usage of the last hour by route and consumer.
func report(ctx context.Context, s *harness.Story) (*sallyport.UsageRowList, error) {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Minute)
	got, err := s.API.GetUsageWithResponse(ctx, s.Environment.Name, &sallyport.GetUsageParams{
		From: &from, To: &to, GroupBy: &[]sallyport.GetUsageParamsGroupBy{"route", "consumer"},
	})
	if err := sallyport.Check(got, err); err != nil {
		return nil, err
	}
	return got.JSON200, nil
}

func TestUsageSaysWhoItWasAfterTheyAreGone(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	other := s.Route(sallyport.Route{Name: s.Name("other"), Service: p.Service.Name, Paths: harness.Below("/other")})
	for range 3 {
		s.Expect(s.Edges()[0], "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
		s.Expect(s.Edges()[0], "/other", harness.WithKey(p.Key.Key), http.StatusOK, "")
	}
	named := func() error {
		got, err := report(t.Context(), s)
		if err != nil {
			return err
		}
		found := map[string]int{}
		for _, row := range got.Data {
			found[row.RouteName+" by "+row.ConsumerName] = row.Requests
		}
		if found[other.Name+" by "+p.Consumer.Name] != 3 || found[p.Route.Name+" by "+p.Consumer.Name] != 3 || len(found) != 2 {
			return fmt.Errorf("usage names %v", found)
		}
		return nil
	}
	harness.Eventually(t, time.Minute, named)

	s.Revoke(p.Key)
	gone, err := s.API.DeleteConsumerWithResponse(t.Context(), s.Environment.Name, p.Consumer.ID, nil)
	s.Must(gone, err)
	closed, err := s.API.DeleteRouteWithResponse(t.Context(), s.Environment.Name, other.ID, nil)
	s.Must(closed, err)
	if err := named(); err != nil {
		t.Errorf("after they were deleted: %v", err)
	}
}

func TestUsageOfAFleetIsCompleteOnlyWhileEveryNodeCanBeHeard(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	covered := func(complete bool, silent string) func() error {
		return func() error {
			got, err := report(t.Context(), s)
			if err != nil {
				return err
			}
			c := got.Coverage
			if c.Complete != complete || c.MissingBatches != 0 || len(c.Nodes) != 2 {
				return fmt.Errorf("usage covers %+v", c)
			}
			for _, n := range c.Nodes {
				if n.Batches == 0 {
					return fmt.Errorf("of %s nothing has arrived", n.Name)
				}
				if (n.Name == silent) == n.SilentSince.IsZero() {
					return fmt.Errorf("%s is silent since %v", n.Name, n.SilentSince)
				}
			}
			return nil
		}
	}
	harness.Eventually(t, time.Minute, covered(true, ""))

	edge := s.Edges()[0]
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, covered(false, edge.Name))
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, covered(true, ""))
}

func TestMinutesOfUsageAreRefusedForLongAgoWithAHint(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	from, bucket := time.Now().Add(-72*time.Hour), sallyport.GetUsageParamsBucket("1m")
	answer, err := s.API.GetUsageWithResponse(t.Context(), s.Environment.Name, &sallyport.GetUsageParams{
		From: &from, Bucket: &bucket, GroupBy: &[]sallyport.GetUsageParamsGroupBy{"time"},
	})
	var problem *sallyport.Problem
	if err := sallyport.Check(answer, err); !errors.As(err, &problem) {
		t.Fatalf("minutes of long ago were answered: %v", err)
	}
	names(t, problem, map[string]string{"/bucket": "out_of_range"})
}
