package publish_test

import (
	"context"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
)

// events returns the environment's audit events, the newest first.
func (r *replica) events() []audit.Stored {
	r.t.Helper()
	events, err := r.db.Audit().Events(context.Background(), r.env, audit.Question{Limit: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}

func TestABatchWithoutAFaceIsAnEventOfItsAuthor(t *testing.T) {
	r := start(t)
	batch := publish.Batch{
		Environment: r.env, Author: access.System(), Message: "expired",
		Operations: []publish.Operation{create("services", service("a")), create("consumers", `{"name":"c"}`)},
	}
	result, err := r.publisher.Apply(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	events := r.events()
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e, err := events[0].Event()
	if err != nil {
		t.Fatal(err)
	}
	if e.GetActor().GetId() != "system" || e.GetMessage() != "expired" || e.GetRevision() != result.Revision || e.GetSequence() != result.Sequence || len(e.GetChanges()) != 2 {
		t.Errorf("the event is %v", e)
	}
	batch.Operations = []publish.Operation{{Verb: publish.Put, Collection: "services", Key: "a", Body: []byte(service("a"))}}
	if _, err := r.publisher.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if n := len(r.events()); n != 1 {
		t.Errorf("what the control plane did and changed nothing is an event: there are %d", n)
	}
}

func TestAFailedBatchLeavesNoEventAndAPepperIsOne(t *testing.T) {
	r := start(t)
	_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Operations: []publish.Operation{create("services", service("a")), create("routes", `{"name":"BAD"}`)}})
	if err == nil || len(r.events()) != 0 {
		t.Fatalf("%v, and %d events", err, len(r.events()))
	}
	if _, err := r.publisher.RotatePepper(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	events := r.events()
	if len(events) != 1 || events[0].Columns.Operation != "rotatePepper" {
		t.Fatalf("the events are %+v", events)
	}
}

func TestAnEventSaysThatFourEyesWereOverridden(t *testing.T) {
	r := start(t)
	r.must(patch("settings", "settings", `{"four_eyes":true}`))
	_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Override: true, Operations: []publish.Operation{create("services", service("a"))}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the event's changes", changesOf(t, r.events()[0]), []string{"create services", "override-four-eyes environments"})
}

// changesOf returns what an event says was done.
func changesOf(t *testing.T, stored audit.Stored) []string {
	t.Helper()
	e, err := stored.Event()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range e.GetChanges() {
		all = append(all, c.GetAction()+" "+c.GetCollection())
	}
	slices.Sort(all)
	return all
}
