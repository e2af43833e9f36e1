package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// fleetDatabase returns the fleet of a new database, and the id of its one environment.
func fleetDatabase(t *testing.T) (*postgres.Fleet, string) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	made, err := environments.New(db, vault(t, db)).Create(t.Context(), &adminv1.Environment{Name: "production"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	return db.Fleet(), made.GetId()
}

func insertJoinToken(t *testing.T, f *postgres.Fleet, environment, name string, uses uint32) fleet.JoinToken {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	token := fleet.JoinToken{
		ID: id.Text("jt", id.New(now)), Environment: environment, Name: name, Lookup: name, Digest: make([]byte, 32),
		ExpiresAt: now.Add(time.Hour), MaxUses: uses, CreatedAt: now,
	}
	if err := f.InsertJoinToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	return token
}

func enrol(t *testing.T, f *postgres.Fleet, token fleet.JoinToken) string {
	t.Helper()
	now := time.Now()
	node := fleet.Newcomer{ID: id.Text("node", id.New(now)), Name: "n", JoinToken: token.ID, BusKey: "U", EnrolledAt: now, CertificateExpires: now.Add(time.Hour)}
	if err := f.Enrol(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	return node.ID
}

func TestJoinTokensAreKeptByNamePerEnvironment(t *testing.T) {
	f, environment := fleetDatabase(t)
	for _, name := range []string{"b", "a", "c"} {
		insertJoinToken(t, f, environment, name, 1)
	}
	taken := fleet.JoinToken{ID: "jt_x", Environment: environment, Name: "a", Lookup: "other", Digest: make([]byte, 32), ExpiresAt: time.Now(), MaxUses: 1, CreatedAt: time.Now()}
	if err := f.InsertJoinToken(t.Context(), taken); problem.CodeOf(err) != problem.NameTaken {
		t.Errorf("a second token of the name: %v", err)
	}
	page, err := f.JoinTokens(t.Context(), environment, "a", 1)
	if err != nil || len(page) != 1 || page[0].Name != "b" {
		t.Errorf("the page after a: %v, %v", page, err)
	}
	if err := f.DeleteJoinToken(t.Context(), environment, "b"); err != nil {
		t.Error(err)
	}
	if _, err := f.JoinToken(t.Context(), environment, "b"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("after it was deleted: %v", err)
	}
	if err := f.DeleteJoinToken(t.Context(), "env_other", "a"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("deleted from another environment: %v", err)
	}
}

func TestEnrolAfterTheLastUseOrTheEndMakesNoNode(t *testing.T) {
	f, environment := fleetDatabase(t)
	token := insertJoinToken(t, f, environment, "a", 1)
	enrol(t, f, token)
	for name, node := range map[string]fleet.Newcomer{
		"used up": {ID: "node_1", JoinToken: token.ID, EnrolledAt: time.Now()},
		"unknown": {ID: "node_2", JoinToken: "jt_none", EnrolledAt: time.Now()},
		"ended":   {ID: "node_3", JoinToken: insertJoinToken(t, f, environment, "b", 1).ID, EnrolledAt: time.Now().Add(2 * time.Hour)},
	} {
		if err := f.Enrol(t.Context(), node); problem.CodeOf(err) != problem.JoinTokenInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if nodes, err := f.Nodes(t.Context(), environment, fleet.Selection{Limit: 10}); err != nil || len(nodes) != 1 {
		t.Errorf("%d nodes: %v", len(nodes), err)
	}
}

func report(node string, lane edgev1.Lane, session id.ID, number uint64) fleet.LaneReport {
	return fleet.LaneReport{
		Session: session, Node: node, Lane: lane, Connected: true, Build: "v1", Capability: 1,
		Held: &fleet.Position{Epoch: 1, Number: number, Digest: []byte{1}},
	}
}

func TestNewestStreamHasTheSay(t *testing.T) {
	f, environment := fleetDatabase(t)
	node := enrol(t, f, insertJoinToken(t, f, environment, "a", 1))
	now := time.Now()
	older, newer := id.New(now), id.New(now.Add(time.Second))
	steps := []struct {
		report fleet.LaneReport
		want   uint64
		up     bool
	}{
		{report(node, edgev1.Lane_LANE_CONFIGURATION, older, 4), 4, true},
		{report(node, edgev1.Lane_LANE_CONFIGURATION, newer, 5), 5, true},
		{report(node, edgev1.Lane_LANE_CONFIGURATION, older, 3), 5, true},
		{fleet.LaneReport{Session: older, Node: node, Lane: edgev1.Lane_LANE_CONFIGURATION}, 5, true},
		{fleet.LaneReport{Session: newer, Node: node, Lane: edgev1.Lane_LANE_CONFIGURATION}, 5, false},
	}
	for i, step := range steps {
		if _, err := f.Report(t.Context(), []fleet.LaneReport{step.report}, time.Minute); err != nil {
			t.Fatal(err)
		}
		kept, err := f.Node(t.Context(), environment, node)
		if err != nil || kept.Configuration.Held.Number != step.want || kept.Configuration.Connected != step.up {
			t.Errorf("step %d: %+v, %v", i, kept.Configuration, err)
		}
	}
}

func TestReportKeepsWhatItDoesNotMention(t *testing.T) {
	f, environment := fleetDatabase(t)
	node := enrol(t, f, insertJoinToken(t, f, environment, "a", 1))
	session := id.New(time.Now())
	refusing := fleet.LaneReport{
		Session: session, Node: node, Lane: edgev1.Lane_LANE_CONFIGURATION, Connected: true,
		Refused: &fleet.LaneHead{Epoch: 1, Number: 7}, Errors: []*edgev1.ObjectError{{Collection: "routes", Code: "x", Message: `"quoted"`}},
	}
	beat := fleet.LaneReport{Session: session, Node: node, Lane: edgev1.Lane_LANE_CONFIGURATION, Connected: true}
	gone := report("node_gone", edgev1.Lane_LANE_DIRECTORY, session, 1)
	for _, r := range [][]fleet.LaneReport{{report(node, edgev1.Lane_LANE_CONFIGURATION, session, 6)}, {refusing}, {beat, gone}} {
		enabled, err := f.Report(t.Context(), r, time.Minute)
		if err != nil || len(enabled) != 1 || enabled[0] != node {
			t.Fatalf("%v, %v", enabled, err)
		}
	}
	kept, err := f.Node(t.Context(), environment, node)
	if err != nil {
		t.Fatal(err)
	}
	lane := kept.Configuration
	if lane.Held.Number != 6 || lane.Refused != 7 || len(lane.Errors) != 1 || lane.Errors[0].GetMessage() != `"quoted"` || lane.RefusedAt.IsZero() {
		t.Errorf("%+v", lane)
	}
}

func TestTallyCountsOnlyLiveEnabledNodesOfTheEnvironment(t *testing.T) {
	f, environment := fleetDatabase(t)
	token := insertJoinToken(t, f, environment, "a", 10)
	session := id.New(time.Now())
	both := func(node string, revision, sequence uint64, lease time.Duration) {
		t.Helper()
		_, err := f.Report(t.Context(), []fleet.LaneReport{
			report(node, edgev1.Lane_LANE_CONFIGURATION, session, revision),
			report(node, edgev1.Lane_LANE_DIRECTORY, session, sequence),
		}, lease)
		if err != nil {
			t.Fatal(err)
		}
	}
	both(enrol(t, f, token), 5, 9, time.Minute)  // holds it
	both(enrol(t, f, token), 4, 9, time.Minute)  // not the revision
	both(enrol(t, f, token), 5, 8, time.Minute)  // not the sequence
	both(enrol(t, f, token), 5, 9, -time.Minute) // its replica died
	disabled := enrol(t, f, token)
	both(disabled, 5, 9, time.Minute)
	if err := f.SetNodeEnabled(t.Context(), environment, disabled, false); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []uint64{1, 2} { // another epoch's says nothing
		refusing := enrol(t, f, token)
		both(refusing, 4, 9, time.Minute)
		if _, err := f.Report(t.Context(), []fleet.LaneReport{{
			Session: session, Node: refusing, Lane: edgev1.Lane_LANE_CONFIGURATION, Connected: true, Refused: &fleet.LaneHead{Epoch: epoch, Number: 5},
		}}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	enrol(t, f, token) // never came
	tally, err := f.Tally(t.Context(), environment, 5, 9)
	if want := (fleet.Tally{Live: 5, Applied: 1, Refused: 1}); err != nil || tally != want {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestReportsOfManyReplicasAtOnceDoNotCollide(t *testing.T) {
	f, environment := fleetDatabase(t)
	token := insertJoinToken(t, f, environment, "a", 40)
	nodes := make([]string, 40)
	for i := range nodes {
		nodes[i] = enrol(t, f, token)
	}
	var all sync.WaitGroup
	for replica := range 4 {
		all.Go(func() {
			for round := range 10 {
				var reports []fleet.LaneReport
				for i := range nodes { // in another order each
					node := nodes[(i*7+replica*13+round)%len(nodes)]
					reports = append(reports, report(node, edgev1.Lane_LANE_DIRECTORY, id.New(time.Now()), uint64(round)))
				}
				if _, err := f.Report(t.Context(), reports, time.Minute); err != nil {
					t.Error(fmt.Errorf("replica %d, round %d: %w", replica, round, err))
				}
			}
		})
	}
	all.Wait()
}

func TestRenewalIsKeptForEnabledNodesAlone(t *testing.T) {
	f, environment := fleetDatabase(t)
	identity := fleet.Identity{Environment: environment, Node: enrol(t, f, insertJoinToken(t, f, environment, "a", 1))}
	ends := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	if kept, err := f.Renewal(t.Context(), identity); err != nil || !kept.Enabled || kept.BusKey != "U" {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := f.Renewed(t.Context(), identity, fleet.Renewed{CertificateExpires: ends}); err != nil {
		t.Fatal(err)
	}
	if err := f.SetNodeEnabled(t.Context(), environment, identity.Node, false); err != nil {
		t.Fatal(err)
	}
	if err := f.Renewed(t.Context(), identity, fleet.Renewed{CertificateExpires: ends.Add(time.Hour)}); problem.CodeOf(err) != problem.NodeDisabled {
		t.Errorf("of a disabled node: %v", err)
	}
	if kept, err := f.Renewal(t.Context(), identity); err != nil || kept.Enabled {
		t.Errorf("%+v, %v", kept, err)
	}
	if node, err := f.Node(t.Context(), environment, identity.Node); err != nil || !node.CertificateExpires.Equal(ends) {
		t.Errorf("it ends %v: %v", node.CertificateExpires, err)
	}
	elsewhere := fleet.Identity{Environment: "env_other", Node: identity.Node}
	if _, err := f.Renewal(t.Context(), elsewhere); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("from another environment: %v", err)
	}
	if err := f.Renewed(t.Context(), elsewhere, fleet.Renewed{CertificateExpires: ends}); problem.CodeOf(err) != problem.NodeDisabled {
		t.Errorf("from another environment: %v", err)
	}
}
