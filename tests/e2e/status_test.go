package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestTheStatusOfARevisionTellsWhichNodesHaveIt(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2)
	s.Service("first", "192.0.2.1:80")
	first := s.Head().Revision
	status := revisionStatus(t, s, first)
	if status.Acked != 2 || status.Pending != 0 || status.Nacked != 0 || len(status.Nodes) != 2 {
		t.Fatalf("after a write that waited for both nodes the status is %+v", status)
	}
	for _, node := range status.Nodes {
		if node.State != "acked" || !node.Connected || node.Revision != first || node.AnsweredAt.IsZero() {
			t.Errorf("a node that has revision %d is told as %+v", first, node)
		}
	}

	away := s.Edges()[1]
	if err := away.Kill(); err != nil {
		t.Fatal(err)
	}
	// Once its streams are known to be gone, nobody waits for it.
	harness.Eventually(t, time.Minute, func() error {
		written, err := s.API.PatchServiceWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, s.Name("first"),
			&sallyport.PatchServiceParams{Wait: s.Wait()}, map[string]any{"description": time.Now().String()})
		s.Must(written, err)
		if applied := written.HTTPResponse.Header.Get("Sallyport-Applied"); applied != "1/1" {
			return fmt.Errorf("the write was applied on %s nodes while one was away", applied)
		}
		return nil
	})
	second := s.Head().Revision
	status = revisionStatus(t, s, second)
	if status.Acked != 1 || status.Pending != 1 || status.Nacked != 0 {
		t.Errorf("while a node is away the status is %+v", status)
	}
	for _, node := range status.Nodes {
		if gone := node.Name == away.Name; gone != (node.State == "pending") || gone == node.Connected {
			t.Errorf("while %s is away a node is told as %+v", away.Name, node)
		}
	}

	if err := away.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		if status := revisionStatus(t, s, second); status.Acked != 2 || status.Pending != 0 {
			return fmt.Errorf("after the node came back the status is %+v", status)
		}
		return nil
	})
	unknown, err := s.API.GetRevisionStatusWithResponse(t.Context(), s.Environment.Name, int64(second+1))
	_ = refused(t, "not_found", unknown, err)
}

func revisionStatus(t *testing.T, s *harness.Story, number int) sallyport.RevisionStatus {
	t.Helper()
	got, err := s.API.GetRevisionStatusWithResponse(t.Context(), s.Environment.Name, int64(number))
	s.Must(got, err)
	return *got.JSON200
}
