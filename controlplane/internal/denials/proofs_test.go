package denials_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestStatusTellsWhoHoldsASequenceSinceWhenAndWhoIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	durable, slow, away, never, off := w.enrol("durable"), w.enrol("slow"), w.enrol("away"), w.enrol("never"), w.enrol("off")
	before := w.environment().GetSequence()
	for _, node := range []string{durable, slow, away, off} {
		w.says(node, before, true)
	}
	if err := w.db.Fleet().SetNodeEnabled(t.Context(), w.env, off, false); err != nil {
		t.Fatal(err)
	}
	key, sequence := w.revoked("web")
	w.says(durable, sequence, true)
	w.says(away, sequence-1, false)

	status := w.status(sequence)
	if status.GetNodesTotal() != 4 || status.GetDurable() != 1 || status.GetPending() != 1 || status.GetUnreachable() != 2 || status.AllDurableAfterMs != nil {
		t.Errorf("the status is %v", status)
	}
	if n := w.of(status, durable); n.GetState() != "durable" || n.DurableAfterMs == nil || n.GetDurableAt() == nil || n.GetUnreachableSince() != nil || n.GetSequence() != sequence {
		t.Errorf("who holds it says %v", n)
	}
	if n := w.of(status, slow); n.GetState() != "pending" || n.DurableAfterMs != nil || n.GetUnreachableSince() != nil || !n.GetConnected() {
		t.Errorf("who is behind says %v", n)
	}
	if n := w.of(status, away); n.GetState() != "unreachable" || time.Since(n.GetUnreachableSince().AsTime()) > time.Minute || n.GetStaleAt() != nil || n.GetConnected() {
		t.Errorf("who is away says %v", n)
	}
	if n := w.of(status, never); n.GetState() != "unreachable" || n.GetUnreachableSince() == nil || n.GetStaleAt() != nil {
		t.Errorf("who never came says %v", n)
	}

	revocation := w.revocation("api-keys", key)
	if revocation.GetCause() != "deleted" || revocation.GetAuthor() != "Ada" || revocation.GetName() != "web" || revocation.GetId() != key ||
		revocation.GetStatus().GetSequence() != sequence || revocation.GetStatus().GetDurable() != 1 {
		t.Errorf("the revocation is %v", revocation)
	}

	for _, node := range []string{slow, away, never} {
		w.says(node, sequence+5, true)
	}
	if err := w.db.Fleet().SetNodeEnabled(t.Context(), w.env, off, true); err != nil {
		t.Fatal(err)
	}
	w.says(off, sequence, false)
	status = w.status(sequence)
	if status.GetDurable() != 5 || status.AllDurableAfterMs == nil || status.GetAllDurableAfterMs() < w.of(status, durable).GetDurableAfterMs() {
		t.Errorf("once all hold it: %v", status)
	}
	// It holds the denial; that nobody hears of it is told all the same.
	if n := w.of(status, off); n.GetState() != "durable" || n.GetConnected() || n.GetUnreachableSince() == nil {
		t.Errorf("who holds it and went away says %v", n)
	}
}

func TestStaleAtIsWhenMaxStalenessEndsWhatAnAwayNodeLetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	holds, lacks := w.enrol("holds"), w.enrol("lacks")
	w.apply(publish.Put, "settings", "settings", `{"max_staleness":"60s"}`)
	_, sequence := w.revoked("web")
	w.says(holds, sequence, false)
	w.says(lacks, sequence-1, false)
	status := w.status(sequence)
	n := w.of(status, lacks)
	if got := n.GetStaleAt().AsTime().Sub(n.GetUnreachableSince().AsTime()); n.GetStaleAt() == nil || got != time.Minute {
		t.Errorf("it ends %s after it was last seen", got)
	}
	if n := w.of(status, holds); n.GetStaleAt() != nil {
		t.Errorf("who holds the denial is said to let in until %s", n.GetStaleAt().AsTime())
	}
}

// The first time counts, however often a node says so again, and whichever of its streams does.
func TestANodesFirstAckIsTheOneThatIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.enrol("n")
	w.says(node, 1, true)
	_, sequence := w.revoked("web")
	w.says(node, sequence, true)
	first := w.of(w.status(sequence), node).GetDurableAt().AsTime()
	w.says(node, sequence+1, true)
	w.sessions[node] = id.New(time.Now().Add(time.Second))
	w.says(node, 0, true) // lost its disk
	if n := w.of(w.status(sequence), node); n.GetState() != "pending" || n.DurableAfterMs != nil {
		t.Errorf("a node that lost it says %v", n)
	}
	w.says(node, sequence, true)
	if got := w.of(w.status(sequence), node).GetDurableAt().AsTime(); !got.Equal(first) {
		t.Errorf("%s, then %s", first, got)
	}
}

func TestWhatDoesNotCountAsAnAck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes := map[string]string{}
	for _, name := range []string{"configuration", "older stream", "other epoch", "nack"} {
		nodes[name] = w.enrol(name)
		w.says(nodes[name], 1, true)
	}
	_, sequence := w.revoked("web")
	held := w.state(sequence)
	w.report(
		fleet.LaneReport{Node: nodes["configuration"], Connected: true, Held: held, Lane: edgev1.Lane_LANE_CONFIGURATION},
		fleet.LaneReport{Node: nodes["older stream"], Connected: true, Held: held, Session: id.New(time.Now().Add(-time.Hour))},
		fleet.LaneReport{Node: nodes["other epoch"], Connected: true, Held: &fleet.Position{Epoch: 2, Number: sequence, Digest: held.Digest}},
		fleet.LaneReport{
			Node: nodes["nack"], Connected: true, Refused: &fleet.LaneHead{Epoch: 1, Number: sequence}, Errors: []*edgev1.ObjectError{{Code: "not_durable"}},
		},
	)
	if n := w.count("SELECT count(*) FROM denial_acks"); n != 0 {
		t.Errorf("%d acks are kept", n)
	}
	status := w.status(sequence)
	if status.GetDurable() != 0 || status.GetPending() != 4 {
		t.Errorf("the status is %v", status)
	}
	if errs := w.of(status, nodes["nack"]).GetErrors(); len(errs) != 1 || errs[0].GetCode() != "not_durable" {
		t.Errorf("why it refused: %v", errs)
	}
}

// After a failover that lost the tail, a replica may still report what nodes answered before: sequences of another history.
func TestAStateThatTheDirectoryWasNeverInIsNoAck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.enrol("n")
	w.says(node, 1, true)
	_, sequence := w.revoked("web")
	lost := w.state(sequence)
	lost.Digest = make([]byte, len(lost.Digest))
	w.report(fleet.LaneReport{Node: node, Connected: true, Held: lost})
	if n := w.count("SELECT count(*) FROM denial_acks"); n != 0 {
		t.Errorf("%d acks are kept", n)
	}
	w.says(node, sequence-1, true)
	w.says(node, sequence, true)
	if n := w.of(w.status(sequence), node); n.GetState() != "durable" || n.DurableAfterMs == nil {
		t.Errorf("once it holds it: %v", n)
	}
}

// A sequence means another denial in each epoch, but what the present one inherits is held by whoever is in it.
func TestNumbersOfAnEndedEpochAreNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.enrol("n")
	w.says(node, 1, true)
	_, sequence := w.revoked("web")
	ended := w.state(sequence)
	w.exec("UPDATE environments SET epoch = 2 WHERE id = $1", w.env)
	w.exec("INSERT INTO directory_heads (environment, epoch, sequence, digest, created_at) SELECT environment, 2, sequence, digest, now() FROM directory_counters WHERE environment = $1", w.env)
	w.report(
		fleet.LaneReport{Node: node, Connected: true, Held: ended, Refused: &fleet.LaneHead{Epoch: 1, Number: sequence + 9}, Errors: []*edgev1.ObjectError{{Code: "old"}}},
	)
	if n := w.of(w.status(sequence), node); n.GetState() != "pending" || len(n.GetErrors()) != 0 {
		t.Errorf("by numbers of the ended epoch: %v", n)
	}
	w.report(fleet.LaneReport{Node: node, Connected: true, Held: &fleet.Position{Epoch: 2, Number: ended.Number, Digest: ended.Digest}})
	if n := w.of(w.status(sequence), node); n.GetState() != "durable" || n.DurableAfterMs == nil {
		t.Errorf("in the present epoch: %v", n)
	}
}

// A node's first state holds all that was denied before: it isn't late, and there is nothing to write.
func TestANodeThatEnrolledLaterIsDurableWithoutATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	early := w.enrol("early")
	w.says(early, 1, true)
	_, sequence := w.revoked("web")
	w.says(early, sequence, true)
	late := w.enrol("late")
	w.says(late, sequence, true)
	status := w.status(sequence)
	if n := w.of(status, late); n.GetState() != "durable" || n.DurableAfterMs != nil {
		t.Errorf("it says %v", n)
	}
	if status.AllDurableAfterMs == nil || status.GetAllDurableAfterMs() != w.of(status, early).GetDurableAfterMs() {
		t.Errorf("the status is %v", status)
	}
	if n := w.count("SELECT count(*) FROM denial_acks"); n != 1 {
		t.Errorf("%d acks are kept", n)
	}
}

func TestASequenceThatDeniedNobodyHasAStatusWithoutTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.enrol("n")
	sequence := w.environment().GetSequence()
	w.says(node, sequence, true)
	status := w.status(sequence)
	if status.GetDurable() != 1 || status.AllDurableAfterMs != nil || w.of(status, node).DurableAfterMs != nil {
		t.Errorf("the status is %v", status)
	}
	for _, unknown := range []uint64{0, sequence + 1} {
		if _, err := w.proofs.Status(t.Context(), w.environment(), unknown); problem.CodeOf(err) != problem.NotFound {
			t.Errorf("sequence %d: %v", unknown, err)
		}
	}
}

func TestRevocationIsOfTheObjectThatHasTheNameNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.revoked("web")
	if got := w.revocation("api-keys", "web"); got.GetId() != first {
		t.Errorf("a name that nobody has any more is %s's", got.GetId())
	}
	second := w.apply(publish.Create, "api-keys", "", `{"name":"web","consumer":"app"}`).Outcomes[0].ID
	_, err := w.proofs.Revocation(t.Context(), w.environment(), "api-keys", "web")
	if problem.CodeOf(err) != problem.NotFound || !strings.Contains(err.Error(), "was not revoked") {
		t.Errorf("a key that lives: %v", err)
	}
	w.apply(publish.Patch, "api-keys", "web", `{"expires_at":"2020-01-01T00:00:00Z"}`)
	if got := w.revocation("api-keys", "web"); got.GetId() != second || got.GetCause() != "expiry" || got.LiftedBy != nil {
		t.Errorf("cut short: %v", got)
	}
	lifted := w.apply(publish.Patch, "api-keys", "web", `{"expires_at":null}`).Sequence
	if got := w.revocation("api-keys", second); got.GetLiftedBy() != lifted {
		t.Errorf("taken back: %v", got)
	}
	for _, key := range []string{"nobody", id.Text(id.APIKey, id.New(time.Now()))} {
		if _, err := w.proofs.Revocation(t.Context(), w.environment(), "api-keys", key); problem.CodeOf(err) != problem.NotFound {
			t.Errorf("%s: %v", key, err)
		}
	}
}
