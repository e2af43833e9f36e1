package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// proof returns what is known of a key's revocation.
func proof(t *testing.T, s *harness.Story, key string) sallyport.Revocation {
	t.Helper()
	answer, err := s.API.GetAPIKeyRevocationWithResponse(t.Context(), s.Environment.Name, key)
	s.Must(answer, err)
	return *answer.JSON200
}

func TestTheProofOfARevocationSaysThatEveryEdgeHoldsIt(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	never, err := s.API.GetAPIKeyRevocationWithResponse(t.Context(), s.Environment.Name, p.Key.ID)
	if problem := refused(t, "not_found", never, err); !strings.Contains(problem.Detail, "was not revoked") {
		t.Errorf("a key that lives: %v", problem)
	}

	s.Revoke(p.Key) // waits until every edge holds it

	shown := proof(t, s, p.Key.ID)
	if shown.Cause != "deleted" || shown.Name != p.Key.Name || shown.Author == "" || shown.CommittedAt.IsZero() {
		t.Errorf("the proof reads %+v", shown)
	}
	if st := shown.Status; st.Durable != 2 || st.NodesTotal != 2 || st.Unreachable+st.Pending != 0 || st.AllDurableAfterMs == nil {
		t.Errorf("its status reads %+v", st)
	}
	for _, node := range shown.Status.Nodes {
		if node.State != "durable" || node.DurableAfterMs == nil || node.DurableAt.Before(shown.CommittedAt) || !node.Connected {
			t.Errorf("a node says %+v", node)
		}
	}
	same, err := s.API.GetSequenceStatusWithResponse(t.Context(), s.Environment.Name, int64(shown.Status.Sequence))
	s.Must(same, err)
	if same.JSON200.Durable != 2 || *same.JSON200.AllDurableAfterMs != *shown.Status.AllDurableAfterMs {
		t.Errorf("the status of its sequence reads %+v", same.JSON200)
	}
	ahead, err := s.API.GetSequenceStatusWithResponse(t.Context(), s.Environment.Name, int64(shown.Status.Sequence)+1000)
	if problem := refused(t, "not_found", ahead, err); problem.Detail == "" {
		t.Errorf("a sequence to come: %v", problem)
	}
}

func TestTheProofNamesTheEdgeThatIsAwayUntilItHoldsTheRevocation(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, MaxStaleness: "1h"})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
	killed, alive := s.Edges()[0], s.Edges()[1]
	away := status(t, killed).Node
	began := time.Now()
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID, nil)
	s.Must(revoked, err)

	var shown sallyport.Revocation
	harness.Eventually(t, time.Minute, func() error {
		shown = proof(t, s, p.Key.ID)
		if st := shown.Status; st.Durable != 1 || st.Unreachable != 1 || st.NodesTotal != 2 {
			return fmt.Errorf("its status reads %+v", st)
		}
		return nil
	})
	s.Expect(alive, "/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	if shown.Status.AllDurableAfterMs != nil {
		t.Errorf("all are said to hold it after %d ms", *shown.Status.AllDurableAfterMs)
	}
	for _, node := range shown.Status.Nodes {
		if node.Node != away {
			continue
		}
		if node.State != "unreachable" || node.UnreachableSince.Before(began.Add(-time.Minute)) || node.StaleAt.Sub(node.UnreachableSince) != time.Hour {
			t.Errorf("who is away says %+v", node)
		}
	}

	if err := killed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		shown = proof(t, s, p.Key.ID)
		if st := shown.Status; st.Durable != 2 || st.AllDurableAfterMs == nil {
			return fmt.Errorf("its status reads %+v", st)
		}
		return nil
	})
	s.Expect(killed, "/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

// A block has the same proof, and keeps it when it is taken back.
func TestABlockHasAProof(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	made := block(t, s, sallyport.Block{Name: "scanner", AddressRange: "192.0.2.0/24"})
	shown, err := s.API.GetBlockRevocationWithResponse(t.Context(), s.Environment.Name, made.Name)
	s.Must(shown, err)
	if got := shown.JSON200; got.Cause != "blocked" || got.Status.Durable != 1 || got.Status.AllDurableAfterMs == nil || got.LiftedBy != 0 {
		t.Errorf("the proof reads %+v", got)
	}
	unblock(t, s, made)
	lifted, err := s.API.GetBlockRevocationWithResponse(t.Context(), s.Environment.Name, made.ID)
	s.Must(lifted, err)
	if got := lifted.JSON200; got.LiftedBy <= got.Status.Sequence {
		t.Errorf("once it was taken back the proof reads %+v", got)
	}
}
