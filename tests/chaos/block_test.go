package chaos

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

var errBlocked = errors.New("the key is still blocked")

// The control plane is dead and the edge is killed on top: what was blocked stays so, and a block ends at its time although
// nobody is there to take it back.
func TestBlocksHoldAndEndOnAnEdgeThatRestartsAlone(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	brief := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	free := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	ends := time.Now().Add(15 * time.Second)
	for _, wanted := range []sallyport.Block{{APIKey: p.Key.ID}, {APIKey: brief.ID, ExpiresAt: ends}} {
		made, err := s.API.CreateBlockWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateBlockParams{Wait: s.Wait()}, wanted)
		s.Must(made, err)
		s.Applied(made.HTTPResponse)
	}
	edge := s.Edges()[0]

	kill(t)
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusForbidden, "blocked")
	s.Expect(edge, "/", harness.WithKey(free.Key), http.StatusOK, "")
	harness.Eventually(t, 3*time.Minute, func() error {
		asked := time.Now()
		answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(brief.Key))
		switch {
		case answer.Status == http.StatusOK && time.Now().Before(ends):
			t.Fatalf("the block ended %s early", time.Until(ends))
		case answer.Status != http.StatusOK && asked.After(ends):
			t.Fatalf("%s after its end it is answered %s", asked.Sub(ends), answer)
		case answer.Status != http.StatusOK:
			return errBlocked
		}
		return nil
	})
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusForbidden, "blocked")

	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, s)
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusForbidden, "blocked")
}
