package chaos

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// The edge is killed while it is asked; what its clients see of that is theirs. The other one must not notice.
func TestKillingAnEdgeLeavesTheOtherServingAndItComesBackAsItself(t *testing.T) {
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	second := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	killed, other := s.Edges()[0], s.Edges()[1]
	before, err := killed.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := run(t, s, killed, p.Key.Key)
	serving := run(t, s, other, p.Key.Key)
	asked.progress(t, 50)

	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	asked.end()
	serving.progress(t, 200)
	revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, second.ID, nil)
	s.Must(revoked, err)
	if err := killed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	after, err := killed.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Node != before.Node || after.Boot == before.Boot {
		t.Errorf("the edge was %+v and is %+v: want the same node in a new process", before, after)
	}
	// It is ready only once it holds what was revoked meanwhile.
	s.Expect(killed, "/", harness.WithKey(second.Key), http.StatusUnauthorized, "credential_invalid")
	s.Expect(killed, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	serving.end()
	serving.check(t)
	caughtUp(t, s)
	nodes, err := s.Environment.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != len(s.Edges()) {
		t.Errorf("there are %d nodes, want %d: a node that comes back is no new one", len(nodes), len(s.Edges()))
	}
	s.Revoke(p.Key)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}
