package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestARotatedKeyWorksOnForTheOverlapAndThenNoMore(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)

	rotated := rotate(t, s, p.Key, "5s")

	s.ExpectAll("/", harness.WithKey(rotated.Key), http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	harness.Eventually(t, time.Minute, func() error { return until(s, p.Key, http.StatusUnauthorized) })
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_expired")
	s.ExpectAll("/", harness.WithKey(rotated.Key), http.StatusOK, "")

	old, err := s.API.GetAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID)
	s.Must(old, err)
	if old.JSON200.RotatedTo != rotated.ID && old.JSON200.RotatedTo != rotated.Name {
		t.Errorf("the old key says that %q took its place, want %s", old.JSON200.RotatedTo, rotated.ID)
	}
}

func TestARotationWithoutOverlapEndsTheOldKeyAtOnce(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)

	rotated := rotate(t, s, p.Key, "0s")

	s.ExpectAll("/", harness.WithKey(rotated.Key), http.StatusOK, "")
	for _, edge := range s.Edges() {
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(p.Key.Key)); answer.Status != http.StatusUnauthorized {
			t.Errorf("the old key on %s: %s", edge.Name, answer)
		}
	}
}

func rotate(t *testing.T, s *harness.Story, key sallyport.APIKey, overlap string) sallyport.APIKey {
	t.Helper()
	rotated, err := s.API.RotateAPIKeyWithResponse(t.Context(), s.Environment.Name, key.ID,
		&sallyport.RotateAPIKeyParams{Wait: s.Wait()}, sallyport.RotateAPIKeyRequest{Overlap: &overlap})
	s.Must(rotated, err)
	s.Applied(rotated.HTTPResponse)
	if rotated.JSON201.Consumer != key.Consumer || rotated.JSON201.Key == "" || rotated.JSON201.Key == key.Key {
		t.Fatalf("the new key reads %+v, the old one %+v", rotated.JSON201, key)
	}
	return *rotated.JSON201
}

// until says whether a key has this status on every edge.
func until(s *harness.Story, key sallyport.APIKey, status int) error {
	for _, edge := range s.Edges() {
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(key.Key)); answer.Status != status {
			return fmt.Errorf("the key %s on %s: %s, want %d", key.ID, edge.Name, answer, status)
		}
	}
	return nil
}
