package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A batch of both lanes: a service, its policy and route, a consumer and its key.
func TestABatchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	environment, before := s.Environment.Name, s.Head()

	broken := wholeBatch(s, upstream.Address)
	broken[2].Body["paths"] = []any{map[string]any{"prefix": "no-slash"}}
	broken[4].Body["scopes"] = []any{"two words"}
	answer, err := s.API.ApplyChangesWithResponse(t.Context(), environment, nil, sallyport.ChangesRequest{Operations: broken})
	names(t, refused(t, "invalid_request", answer, err), map[string]string{
		"/operations/2/body/paths/0/prefix": "invalid_format", "/operations/4/body/scopes/0": "invalid_format",
	})
	if after := s.Head(); after.Revision != before.Revision || after.Sequence != before.Sequence {
		t.Fatalf("a refused batch moved the environment from %+v to %+v", before, after)
	}
	missing, err := s.API.GetServiceWithResponse(t.Context(), environment, s.Name("service"))
	_ = refused(t, "not_found", missing, err)
	nobody, err := s.API.GetConsumerWithResponse(t.Context(), environment, s.Name("consumer"))
	_ = refused(t, "not_found", nobody, err)

	made, err := s.API.ApplyChangesWithResponse(t.Context(), environment, &sallyport.ApplyChangesParams{Wait: s.Wait()},
		sallyport.ChangesRequest{Operations: wholeBatch(s, upstream.Address), Message: "all at once"})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	result := made.JSON200
	if result.Revision != before.Revision+1 || result.Sequence != before.Sequence+2 || len(result.Results) != 5 {
		t.Errorf("the batch made revision %d, sequence %d and %d results, want %d, %d and 5",
			result.Revision, result.Sequence, len(result.Results), before.Revision+1, before.Sequence+2)
	}
	key, _ := result.Results[4].Object["key"].(string)
	s.ExpectAll("/", nil, http.StatusUnauthorized, "credential_missing")
	s.ExpectAll("/", harness.WithKey(key), http.StatusOK, "")
	if now := revision(t, s, result.Revision); now.Message != "all at once" || now.Author == "" || now.Changes != 3 {
		t.Errorf("the revision reads %+v", now)
	}
}

func wholeBatch(s *harness.Story, target string) []sallyport.Operation {
	return []sallyport.Operation{
		{Action: "create", Collection: "services", Body: map[string]any{
			"name": s.Name("service"), "upstream": map[string]any{"targets": []any{map[string]any{"address": target}}},
		}},
		{Action: "put", Collection: "policies", Key: s.Name("keys"), Body: map[string]any{
			"name": s.Name("keys"), "kind": "api-key", "config": map[string]any{},
			"attached_to": []any{map[string]any{"service": s.Name("service")}},
		}},
		{Action: "create", Collection: "routes", Body: map[string]any{
			"name": s.Name("route"), "service": s.Name("service"), "hosts": []any{s.Host}, "paths": []any{map[string]any{"prefix": "/"}},
		}},
		{Action: "create", Collection: "consumers", Body: map[string]any{"name": s.Name("consumer")}},
		{Action: "create", Collection: "api-keys", Body: map[string]any{"consumer": s.Name("consumer")}},
	}
}
