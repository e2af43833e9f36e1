package edgeapi_test

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// The node's stream is the other replica's, so that the question goes by the database.
func TestAClientsRequestLiesSealedInTheDatabaseAndReachesTheNodeOpen(t *testing.T) {
	one := newControl(t, edgeapi.Times{})
	two := one.another()
	node := one.enrol("edge-1")
	inquiry := one.inquire(node, hello("b1", 0))
	one.open(node, node.Replica(directory), directory)
	question := &edgev1.Question{Question: &edgev1.Question_Explain{Explain: &edgev1.ExplainQuestion{
		Method: "GET", Target: "/", Headers: []*edgev1.HeaderField{{Name: "Authorization", Value: "Bearer geheim"}},
	}}}
	two.awaitConnected(node)
	self, err := two.inquiries.Find(t.Context(), one.environment, node.Identity.GetNode())
	if err != nil {
		t.Fatal(err)
	}
	kept := make(chan []byte, 1)
	go func() {
		q, err := inquiry.Next()
		if err != nil || !proto.Equal(q.GetExplain(), question.GetExplain()) {
			t.Errorf("the node is asked %v: %v", q, err)
		}
		var row []byte
		if err := one.db.Pool().QueryRow(t.Context(), "SELECT question FROM inquiries").Scan(&row); err != nil {
			t.Error(err)
		}
		kept <- row
		_ = inquiry.Answer(&edgev1.Answer{Id: q.GetId(), Answer: &edgev1.Answer_Explanation{Explanation: &edgev1.Explanation{Verdict: "allowed"}}})
	}()
	answer, err := two.inquiries.Ask(t.Context(), &self, question)
	if err != nil || answer.GetExplanation().GetVerdict() != "allowed" {
		t.Fatalf("answered %v: %v", answer, err)
	}
	if row := <-kept; len(row) == 0 || bytes.Contains(row, []byte("geheim")) || bytes.Contains(row, []byte("Authorization")) {
		t.Errorf("in the database lies %q", row)
	}
}

// awaitConnected waits until the database says that a node's stream is open.
func (c *control) awaitConnected(node *edgetest.Node) {
	c.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		connected, _, err := c.inquiries.Connected(c.t.Context(), c.environment, 1)
		switch {
		case err != nil || time.Now().After(end):
			c.t.Fatalf("the node %s isn't connected: %v", node.Identity.GetNode(), err)
		case len(connected) == 1:
			return
		}
	}
}
