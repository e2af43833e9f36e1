package e2e

import (
	"strconv"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

func TestOfTwoEditorsOneWins(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	service := s.Service("service", "192.0.2.1:80")
	read, err := s.API.GetServiceWithResponse(t.Context(), s.Environment.Name, service.ID)
	s.Must(read, err)
	etag := read.Headers200.ETag

	const editors = 8
	statuses := make([]int, editors)
	var all sync.WaitGroup
	for n := range editors {
		all.Go(func() {
			patched, err := s.API.PatchServiceWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, service.ID,
				&sallyport.PatchServiceParams{IfMatch: &etag}, map[string]any{"description": "edited by " + strconv.Itoa(n)})
			if err != nil {
				t.Error(err)
				return
			}
			statuses[n] = patched.StatusCode()
		})
	}
	all.Wait()

	winner := -1
	for n, status := range statuses {
		switch {
		case status == 200 && winner < 0:
			winner = n
		case status != 412:
			t.Errorf("the editors were answered %v, want one 200 and else 412", statuses)
		}
	}
	now, err := s.API.GetServiceWithResponse(t.Context(), s.Environment.Name, service.ID)
	s.Must(now, err)
	if want := "edited by " + strconv.Itoa(winner); winner < 0 || now.JSON200.Description != want {
		t.Errorf("the service says %q, want %q", now.JSON200.Description, want)
	}
	if now.Headers200.ETag == etag {
		t.Error("the ETag is what it was before the edit")
	}
}

func TestWithAStaleETagNothingIsPutOrDeleted(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	consumer := s.Consumer("consumer")
	environment := s.Environment.Name
	stale := `"AAAAAAAAAAAAAAAAAAAAAA"`

	deleted, err := s.API.DeleteConsumerWithResponse(t.Context(), environment, consumer.ID, &sallyport.DeleteConsumerParams{IfMatch: &stale})
	_ = refused(t, "precondition_failed", deleted, err)
	put, err := s.API.PutConsumerWithResponse(t.Context(), environment, consumer.Name, &sallyport.PutConsumerParams{IfMatch: &stale},
		sallyport.Consumer{Name: consumer.Name, Suspended: true})
	_ = refused(t, "precondition_failed", put, err)
	twice, err := s.API.PutConsumerWithResponse(t.Context(), environment, consumer.Name,
		&sallyport.PutConsumerParams{IfNoneMatch: pointer(sallyport.PutConsumerParamsIfNoneMatch("*"))}, sallyport.Consumer{Name: consumer.Name})
	_ = refused(t, "precondition_failed", twice, err)

	now, err := s.API.GetConsumerWithResponse(t.Context(), environment, consumer.ID)
	s.Must(now, err)
	if now.JSON200.Suspended || now.JSON200.ID != consumer.ID {
		t.Errorf("the consumer is now %+v", now.JSON200)
	}
}

// What was read can be put back as it is, and that is no change.
func TestPuttingBackWhatWasReadMakesNoRevision(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1)
	p := s.Protected("192.0.2.1:80")
	environment, before := s.Environment.Name, s.Head()

	service, err := s.API.GetServiceWithResponse(t.Context(), environment, p.Service.ID)
	s.Must(service, err)
	put, err := s.API.PutServiceWithResponse(t.Context(), environment, p.Service.ID, nil, *service.JSON200)
	s.Must(put, err)
	route, err := s.API.GetRouteWithResponse(t.Context(), environment, p.Route.ID)
	s.Must(route, err)
	putRoute, err := s.API.PutRouteWithResponse(t.Context(), environment, p.Route.ID, nil, *route.JSON200)
	s.Must(putRoute, err)
	policy, err := s.API.GetPolicyWithResponse(t.Context(), environment, p.Policy.ID)
	s.Must(policy, err)
	putPolicy, err := s.API.PutPolicyWithResponse(t.Context(), environment, p.Policy.ID, nil, *policy.JSON200)
	s.Must(putPolicy, err)
	key, err := s.API.GetAPIKeyWithResponse(t.Context(), environment, p.Key.ID)
	s.Must(key, err)
	putKey, err := s.API.PutAPIKeyWithResponse(t.Context(), environment, p.Key.ID, nil, *key.JSON200)
	s.Must(putKey, err)

	if after := s.Head(); after.Revision != before.Revision || after.Sequence != before.Sequence {
		t.Errorf("the environment went from %+v to %+v", before, after)
	}
}
