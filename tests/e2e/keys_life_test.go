package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// What was used before the rotation doesn't count: who still has to change theirs is what one wants to know.
func TestTheUseOfARotatedKeyTellsWhenItIsSafeToEnd(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	harness.Eventually(t, time.Minute, func() error { return usedSo(t, s, p.Key, len(s.Edges()), "") })

	next := rotate(t, s, p.Key, "24h")
	if next.RotatedFrom != p.Key.ID {
		t.Errorf("the new key says that it takes the place of %q, want %s", next.RotatedFrom, p.Key.ID)
	}
	s.ExpectAll("/", harness.WithKey(next.Key), http.StatusOK, "")
	if err := usedSo(t, s, p.Key, 0, ""); err != nil {
		t.Errorf("nobody has used it since: %v", err)
	}

	for range 3 {
		s.Expect(s.Edges()[0], "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	}
	harness.Eventually(t, time.Minute, func() error { return usedSo(t, s, p.Key, 3, "127.0.0.1") })
}

// usedSo says where the use of a key isn't so many requests, and from this address ("": none is told of).
func usedSo(t *testing.T, s *harness.Story, key sallyport.APIKey, requests int, address string) error {
	t.Helper()
	use, err := s.API.GetAPIKeyUseWithResponse(t.Context(), s.Environment.Name, key.ID)
	s.Must(use, err)
	var from []string
	for _, a := range use.JSON200.Addresses {
		from = append(from, a.Address)
	}
	if use.JSON200.Requests != requests || address != "" && !slices.Contains(from, address) {
		return fmt.Errorf("it was used %d times from %v, want %d from %q", use.JSON200.Requests, from, requests, address)
	}
	return nil
}

func TestAKeyOpensTheRoutesThatItIsFor(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil).Address
	p := s.Protected(upstream)
	other := s.Service("other", upstream)
	s.Policy(harness.APIKeys(s.Name("other-keys"), sallyport.Attachment{Service: other.Name}))
	s.Route(sallyport.Route{Name: s.Name("other"), Service: other.Name, Paths: harness.Below("/other")})
	one := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Routes: []string{p.Route.ID}})
	all := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Routes: []string{other.ID}})

	s.ExpectAll("/", harness.WithKey(one.Key), http.StatusOK, "")
	s.ExpectAll("/other", harness.WithKey(one.Key), http.StatusForbidden, "access_denied")
	s.ExpectAll("/", harness.WithKey(all.Key), http.StatusForbidden, "access_denied")
	s.ExpectAll("/other", harness.WithKey(all.Key), http.StatusOK, "")
	s.ExpectAll("/other", harness.WithKey(p.Key.Key), http.StatusOK, "")

	widened, err := s.API.PatchAPIKeyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, one.ID,
		&sallyport.PatchAPIKeyParams{Wait: s.Wait()}, map[string]any{"routes": nil})
	s.Must(widened, err)
	s.Applied(widened.HTTPResponse)
	s.ExpectAll("/other", harness.WithKey(one.Key), http.StatusOK, "")
}

func TestAKeyThatLeakedIsDeadOnEveryEdgeAndNoOther(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	kept := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")

	found, err := s.API.ReportLeakedAPIKeysWithResponse(t.Context(), s.Environment.Name, &sallyport.ReportLeakedAPIKeysParams{Wait: s.Wait()},
		sallyport.LeakedAPIKeysRequest{Keys: []string{"not-a-key", p.Key.Key}, Source: "a scanner of public repositories"})
	s.Must(found, err)
	s.Applied(found.HTTPResponse)
	if got := found.JSON200.Results; len(got) != 2 || got[0].Status != "unknown" || got[1].Status != "revoked" || got[1].APIKey != p.Key.ID {
		t.Errorf("answered %+v", got)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", harness.WithKey(kept.Key), http.StatusOK, "")
	proof, err := s.API.GetAPIKeyRevocationWithResponse(t.Context(), s.Environment.Name, p.Key.ID)
	s.Must(proof, err)
	if proof.JSON200.Cause != "leaked" {
		t.Errorf("the proof says %q", proof.JSON200.Cause)
	}
}

func TestAllKeysOfAConsumerAreRevokedAtOnce(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	second := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	other := s.Key(sallyport.APIKey{Consumer: s.Consumer("other").Name})
	revoke := func(dryRun bool) *sallyport.APIKeysRevoked {
		revoked, err := s.API.RevokeAPIKeysWithResponse(t.Context(), s.Environment.Name,
			&sallyport.RevokeAPIKeysParams{Wait: s.Wait(), DryRun: &dryRun}, sallyport.RevokeAPIKeysRequest{Consumer: p.Consumer.Name, Reason: "they left"})
		s.Must(revoked, err)
		return revoked.JSON200
	}
	if plan := revoke(true); len(plan.Revoked) != 2 || !plan.DryRun {
		t.Errorf("planned %+v", plan)
	}
	s.ExpectAll("/", harness.WithKey(second.Key), http.StatusOK, "")
	if done := revoke(false); len(done.Revoked) != 2 || done.More {
		t.Errorf("revoked %+v", done)
	}
	for _, key := range []sallyport.APIKey{p.Key, second} {
		s.ExpectAll("/", harness.WithKey(key.Key), http.StatusUnauthorized, "credential_invalid")
	}
	s.ExpectAll("/", harness.WithKey(other.Key), http.StatusOK, "")
}

// Who moves here from another gateway changes nothing for those who call.
func TestConsumersOfKongKeepTheirKeys(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	s.Protected(harness.NewUpstream(t, nil).Address)
	const deck = "mWpZCz7KFZcRd0vJ5mWm4UJ9x8Vd3Z2A"
	s.ExpectAll("/", harness.WithKey(deck), http.StatusUnauthorized, "credential_invalid")
	file := filepath.Join(t.TempDir(), "kong.yaml")
	export := "_format_version: \"3.0\"\nconsumers:\n- username: Shop\n  keyauth_credentials:\n  - key: " + deck + "\n  - key: short\n"
	if err := os.WriteFile(file, []byte(export), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, notes, err := s.Environment.Sallyport(t.Context(), "-wait", "30s", "import", "kong", file)
	if err != nil || !strings.Contains(printed, `"imported"`) || !strings.Contains(notes, "left out") || strings.Contains(printed+notes, deck) {
		t.Fatalf("%s%s, %v", printed, notes, err)
	}
	s.ExpectAll("/", harness.WithKey(deck), http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(deck+"1"), http.StatusUnauthorized, "credential_invalid")

	again, _, err := s.Environment.Sallyport(t.Context(), "import", "kong", file)
	if err != nil || !strings.Contains(again, `"known"`) {
		t.Errorf("again: %s, %v", again, err)
	}
	byValue, err := s.API.ImportAPIKeysWithResponse(t.Context(), s.Environment.Name, &sallyport.ImportAPIKeysParams{Wait: s.Wait()},
		sallyport.ImportAPIKeysRequest{Items: []sallyport.ImportedAPIKey{{Consumer: "shop", Value: "another-key.of/the:shop"}}})
	s.Must(byValue, err)
	s.ExpectAll("/", harness.WithKey("another-key.of/the:shop"), http.StatusOK, "")
}
