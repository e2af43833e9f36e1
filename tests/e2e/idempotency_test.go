package e2e

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// idempotencyBound is far longer than a key takes to be made.
const idempotencyBound = 30 * time.Second

// A stack of its own: its control plane is killed.
func TestAKeyThatIsAskedForAgainIsMadeOnce(t *testing.T) {
	t.Parallel()
	own, err := harness.Start(t.Context(), harness.Config{Edges: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	s := own.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	wanted := sallyport.APIKey{Consumer: p.Key.Consumer}

	first := askForKey(t, s, wanted, "first")
	again := askForKey(t, s, wanted, "first")
	if first.JSON201.Key == "" || again.JSON201.Key != first.JSON201.Key || again.JSON201.ID != first.JSON201.ID {
		t.Fatalf("asked twice, the keys are %q and %q", first.JSON201.ID, again.JSON201.ID)
	}
	if again.HTTPResponse.Header.Get("Idempotency-Replayed") != "true" {
		t.Error("the second answer doesn't say that it is a replay")
	}
	other, err := s.API.CreateAPIKeyWithResponse(t.Context(), s.Environment.Name, nil, sallyport.APIKey{Consumer: p.Key.Consumer, Name: "other"}, sallyport.IdempotencyKey("first"))
	_ = refused(t, "idempotency_mismatch", other, err)

	together := askTogether(t, s, wanted, 8)
	if keys := keysOf(t, s); keys != 3 { // the story's, the first, and one
		t.Errorf("there are %d keys, want 3", keys)
	}

	if err := own.KillControl(); err != nil {
		t.Fatal(err)
	}
	if err := own.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	if later := askForKey(t, s, wanted, "first"); later.JSON201.Key != first.JSON201.Key {
		t.Error("after a restart the same request made another key")
	}
	if later := askForKey(t, s, wanted, "together"); later.JSON201.Key != together {
		t.Error("after a restart the request that came on many connections made another key")
	}
	if keys := keysOf(t, s); keys != 3 {
		t.Errorf("after a restart there are %d keys, want 3", keys)
	}
	s.ExpectAll("/", harness.WithKey(together), http.StatusOK, "")
}

func askForKey(t *testing.T, s *harness.Story, wanted sallyport.APIKey, key string) *sallyport.CreateAPIKeyResponse {
	t.Helper()
	made, err := s.API.CreateAPIKeyWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateAPIKeyParams{Wait: s.Wait()}, wanted, sallyport.IdempotencyKey(key))
	s.Must(made, err)
	return made
}

// askTogether asks for one key on several connections at the same time, then again until each is answered, and returns the key that all
// were told.
func askTogether(t *testing.T, s *harness.Story, wanted sallyport.APIKey, connections int) string {
	t.Helper()
	ask := func(api *sallyport.ClientWithResponses) (*sallyport.CreateAPIKeyResponse, error) {
		made, err := api.CreateAPIKeyWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateAPIKeyParams{Wait: s.Wait()}, wanted, sallyport.IdempotencyKey("together"))
		return made, sallyport.Check(made, err)
	}
	apis, first := make([]*sallyport.ClientWithResponses, connections), make([]error, connections)
	for i := range apis {
		var err error
		if apis[i], err = sallyport.New(s.Environment.Stack.URL(), s.Environment.Stack.Token(), sallyport.WithHTTPClient(&http.Client{
			Transport: new(http.Transport), Timeout: idempotencyBound,
		})); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i, api := range apis {
		wg.Go(func() { _, first[i] = ask(api) })
	}
	wg.Wait()
	key := ""
	for i, api := range apis {
		var problem *sallyport.Problem
		if errors.As(first[i], &problem) && problem.Code != "idempotency_in_progress" {
			t.Fatalf("on one of %d connections: %v", connections, problem)
		}
		harness.Eventually(t, idempotencyBound, func() error {
			made, err := ask(api)
			if err != nil {
				return err
			}
			if key == "" {
				key = made.JSON201.Key
			}
			if made.JSON201.Key != key {
				t.Fatalf("on %d connections different keys were told", connections)
			}
			return nil
		})
	}
	return key
}

func keysOf(t *testing.T, s *harness.Story) int {
	t.Helper()
	listed, err := s.API.ListAPIKeysWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(listed, err)
	return len(listed.JSON200.Data)
}
