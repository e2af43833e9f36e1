package publish_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	nodeLimit  = `{"name":"l","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":10,"window":"1s"}]},"attached_to":[{"environment":true}]}`
	fleetLimit = `{"name":"l","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":10,"window":"1s"}],"scope":"fleet"},"attached_to":[{"environment":true}]}`
)

// enrolled enrols a node, which says that it has this capability; 0: it was never seen.
func (r *replica) enrolled(name string, capability uint32) fleet.Identity {
	r.t.Helper()
	now := time.Now()
	identity := fleet.Identity{Environment: r.env, Node: id.Text(id.Node, id.New(now))}
	token := fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(now)), Environment: r.env, Name: "for-" + name, Lookup: name, Digest: make([]byte, 32),
		ExpiresAt: now.Add(time.Hour), MaxUses: 1, CreatedAt: now,
	}
	if err := r.db.Fleet().InsertJoinToken(r.t.Context(), token); err != nil {
		r.t.Fatal(err)
	}
	err := r.db.Fleet().Enrol(r.t.Context(), fleet.Newcomer{ID: identity.Node, Name: name, JoinToken: token.ID, EnrolledAt: now, CertificateExpires: now})
	if err != nil {
		r.t.Fatal(err)
	}
	if capability == 0 {
		return identity
	}
	_, err = r.db.Fleet().Report(r.t.Context(), []fleet.LaneReport{{
		Session: id.New(now), Node: identity.Node, Lane: edgev1.Lane_LANE_CONFIGURATION, Connected: true, Capability: capability,
	}}, time.Minute)
	if err != nil {
		r.t.Fatal(err)
	}
	return identity
}

// fleet returns who the directory says is in the fleet; nil when it says nothing.
func (r *replica) fleet() []string {
	r.t.Helper()
	_, changes, err := r.db.Lanes(r.vault).DirectoryChanges(r.t.Context(), r.env, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	key := directory.FleetKey()
	for _, change := range changes {
		if !bytes.Equal(change.GetKey(), key[:]) {
			continue
		}
		var entry directoryv1.Entry
		if err := proto.Unmarshal(change.GetEntry(), &entry); err != nil {
			r.t.Fatal(err)
		}
		nodes := []string{}
		for _, raw := range entry.GetFleet().GetNodes() {
			nodes = append(nodes, id.Text(id.Node, id.ID(raw)))
		}
		return nodes
	}
	return nil
}

func (r *replica) settle() {
	r.t.Helper()
	if err := r.publisher.SettleFleet(r.t.Context(), r.env); err != nil {
		r.t.Fatal(err)
	}
}

func TestAChangeThatANodeDoesNotUnderstandIsRefusedByPlaceAndNode(t *testing.T) {
	r := start(t)
	r.enrolled("new", 2)
	old := r.enrolled("old", 1)
	refused := r.refused(create("policies", fleetLimit))
	if refused.Code != problem.CapabilityMissing {
		t.Fatalf("refused as %s", refused.Code)
	}
	same(t, "violations", found(refused), []string{"/config/scope capability_missing"})
	if detail := refused.Errors[0].Detail; !strings.Contains(detail, old.Node) || !strings.Contains(detail, "old") || strings.Contains(detail, "new (") {
		t.Errorf("it says %s", detail)
	}
	r.must(create("policies", nodeLimit)) // which everybody understands
	if got := r.fleet(); got != nil {
		t.Errorf("a directory that shares nothing says that the fleet is %v", got)
	}
}

func TestAChangeIsMadeByForceAndADryRunOnlyTells(t *testing.T) {
	r := start(t)
	old := r.enrolled("old", 1)
	write := func(how publish.Batch) publish.Result {
		how.Environment, how.Author, how.Operations = r.env, author, []publish.Operation{create("policies", fleetLimit)}
		result, err := r.publisher.Apply(t.Context(), how)
		if err != nil || !slices.ContainsFunc(result.Warnings, func(w string) bool { return strings.Contains(w, old.Node) && strings.Contains(w, "/config/scope") }) {
			t.Fatalf("%v, warnings %q", err, result.Warnings)
		}
		return result
	}
	dry := write(publish.Batch{DryRun: true})
	made := write(publish.Batch{Force: true})
	if dry.Revision != made.Revision || dry.Sequence != made.Sequence || made.Revision == 0 {
		t.Errorf("the plan was revision %d, sequence %d; made were %d and %d", dry.Revision, dry.Sequence, made.Revision, made.Sequence)
	}
	if _, err := r.apply(create("services", service("s"))); err != nil {
		t.Errorf("what everybody understands needs force too: %v", err)
	}
}

func TestOnlyNodesThatAreHereCountAsLacking(t *testing.T) {
	r := start(t)
	r.enrolled("never-seen", 0)
	disabled, left := r.enrolled("disabled", 1), r.enrolled("left", 1)
	if err := r.db.Fleet().SetNodeEnabled(t.Context(), r.env, disabled.Node, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Fleet().Arrive(t.Context(), left, "b1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if gone, err := r.db.Fleet().Leave(t.Context(), left, "b1"); err != nil || !gone {
		t.Fatal(gone, err)
	}
	r.must(create("policies", fleetLimit))
}

func TestTheFirstLimitOfTheFleetBringsItsEntryAlongAndARevisionWaitsForIt(t *testing.T) {
	r := start(t)
	a, b := r.enrolled("a", 2), r.enrolled("b", 2)
	result := r.must(create("policies", fleetLimit))
	if got := r.fleet(); !slices.Equal(got, []string{a.Node, b.Node}) {
		t.Errorf("the fleet is %v", got)
	}
	head, err := r.db.Lanes(r.vault).ConfigurationHead(t.Context(), r.env)
	if err != nil || result.Sequence == 0 || head.SequenceNeeded != result.Sequence {
		t.Errorf("the revision needs sequence %d, the entry is %d: %v", head.SequenceNeeded, result.Sequence, err)
	}
	if again := r.must(patch("policies", "l", `{"description":"again"}`)); again.Sequence != 0 {
		t.Errorf("a fleet that is the same was written again, as sequence %d", again.Sequence)
	}
}

func TestTheFleetIsWhoIsEnabledAndHasNotSaidGoodbyeWhicheverReplicaSettlesIt(t *testing.T) {
	r := start(t)
	a, b := r.enrolled("a", 2), r.enrolled("b", 2)
	r.must(create("policies", fleetLimit))
	other := r.another()
	c := r.enrolled("c", 2)
	other.settle()
	if got := r.fleet(); !slices.Equal(got, []string{a.Node, b.Node, c.Node}) {
		t.Errorf("with a newcomer the fleet is %v", got)
	}
	if err := r.db.Fleet().SetNodeEnabled(t.Context(), r.env, a.Node, false); err != nil {
		t.Fatal(err)
	}
	r.settle()
	if _, err := r.db.Fleet().Arrive(t.Context(), b, "b1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Fleet().Leave(t.Context(), b, "b1"); err != nil {
		t.Fatal(err)
	}
	if err := other.publisher.SettleFleets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.fleet(); !slices.Equal(got, []string{c.Node}) {
		t.Errorf("without the disabled one and the one that left the fleet is %v", got)
	}
	if returned, err := r.db.Fleet().Arrive(t.Context(), b, "b1", time.Now()); err != nil || returned {
		t.Errorf("a process that has said goodbye is back: %v", err)
	}
	if returned, err := r.db.Fleet().Arrive(t.Context(), b, "b2", time.Now()); err != nil || !returned {
		t.Errorf("a new process of a node that left isn't one that is back: %v", err)
	}
	r.settle()
	if got := r.fleet(); !slices.Equal(got, []string{b.Node, c.Node}) {
		t.Errorf("with the one that is back the fleet is %v", got)
	}
}

// Its nodes would refuse the block's entry, and with it every revocation behind it.
func TestABlockThatANodeDoesNotKnowNeedsForce(t *testing.T) {
	t.Parallel()
	r := start(t)
	old := r.enrolled("old", 1)
	block := create("blocks", `{"name":"b","address_range":"192.0.2.0/24"}`)
	refused := r.refused(create("consumers", `{"name":"beside"}`), block)
	if refused.Code != problem.CapabilityMissing || refused.Errors[0].Pointer != "/operations/1/body" || !strings.Contains(refused.Error(), old.Node) {
		t.Errorf("%+v", refused)
	}
	forced, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{block}, Force: true})
	if err != nil || !strings.Contains(strings.Join(forced.Warnings, "\n"), old.Node) {
		t.Errorf("forced: %v, warnings %q", err, forced.Warnings)
	}
	r.must(patch("blocks", "b", `{"description":"known to whom it concerns"}`))
	r.must(remove("blocks", "b"))
}
