package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/tests/harness"
)

// The edge is given its join token at the first start alone: if it didn't keep its identity, it could not come back.
func TestAnEdgeKeepsItsIdentityOverARestart(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	edge := s.Edges()[0]
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	before := status(t, edge)

	if err := edge.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID, nil)
	s.Must(revoked, err)
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	after := status(t, edge)
	if after.Node != before.Node || after.Boot == before.Boot {
		t.Errorf("the edge was %+v and is %+v: want the same node in a new process", before, after)
	}
	nodes, err := s.Environment.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 1 || nodes[0].ID != before.Node {
		t.Errorf("the nodes are %+v, want %s alone", nodes, before.Node)
	}
	// What happened while it was away holds from its first answer on.
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

func status(t *testing.T, edge *harness.Edge) harness.Status {
	t.Helper()
	status, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}
