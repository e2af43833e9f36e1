package denials_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/denials"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an environment with a consumer "app", and nodes that say what a test has them say.
type world struct {
	t         *testing.T
	db        *postgres.DB
	all       *environments.Environments
	directory *directory.Directory
	publisher *publish.Publisher
	proofs    *denials.Proofs
	env       string
	sessions  map[string]id.ID
	token     fleet.JoinToken
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	configuration, entries := catalog.New(db, log), directory.New(db)
	w := &world{
		t: t, db: db, all: environments.New(db, vault), directory: entries, publisher: publish.New(db, configuration, vault, log),
		proofs: denials.New(db, db.Fleet(), entries, configuration), sessions: map[string]id.ID{},
	}
	made, err := w.all.Create(t.Context(), &adminv1.Environment{Name: "production"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	w.env = made.GetId()
	now := time.Now().UTC()
	w.token = fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(now)), Environment: w.env, Name: "rack", Lookup: "lookup", Digest: make([]byte, 32),
		ExpiresAt: now.Add(time.Hour), MaxUses: 100, CreatedAt: now,
	}
	if err := db.Fleet().InsertJoinToken(t.Context(), w.token); err != nil {
		t.Fatal(err)
	}
	w.apply(publish.Create, "consumers", "", `{"name":"app"}`)
	return w
}

func (w *world) apply(verb publish.Verb, collection, key, body string) publish.Result {
	w.t.Helper()
	op := publish.Operation{Verb: verb, Collection: collection, Key: key}
	if body != "" {
		op.Body = []byte(body)
	}
	result, err := w.publisher.Apply(context.WithoutCancel(w.t.Context()), publish.Batch{
		Environment: w.env, Author: access.Actor{ID: "tok_ada", Name: "Ada", Grants: access.System().Grants}, Operations: []publish.Operation{op},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// revoked makes a key and deletes it, and returns its id and the sequence.
func (w *world) revoked(name string) (key string, sequence uint64) {
	w.t.Helper()
	key = w.apply(publish.Create, "api-keys", "", `{"name":"`+name+`","consumer":"app"}`).Outcomes[0].ID
	return key, w.apply(publish.Delete, "api-keys", name, "").Sequence
}

func (w *world) environment() *adminv1.Environment {
	w.t.Helper()
	found, err := w.all.Get(w.t.Context(), w.env)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) enrol(name string) string {
	w.t.Helper()
	now := time.Now()
	node := fleet.Newcomer{ID: id.Text(id.Node, id.New(now)), Name: name, JoinToken: w.token.ID, BusKey: "U", EnrolledAt: now, CertificateExpires: now.Add(time.Hour)}
	if err := w.db.Fleet().Enrol(w.t.Context(), node); err != nil {
		w.t.Fatal(err)
	}
	return node.ID
}

// state is where a node is that holds a sequence: as the directory was then, or is to become by then. 0: it holds nothing.
func (w *world) state(sequence uint64) *fleet.Position {
	w.t.Helper()
	at := &fleet.Position{Epoch: 1, Number: sequence, Digest: []byte{}}
	if sequence == 0 {
		return at
	}
	for n := w.environment().GetSequence(); n < sequence; n++ {
		w.apply(publish.Create, "consumers", "", fmt.Sprintf(`{"name":"until-%d"}`, n+1))
	}
	const digest = "SELECT digest FROM directory_heads WHERE environment = $1 AND epoch = 1 AND sequence = $2"
	if err := w.db.Pool().QueryRow(w.t.Context(), digest, w.env, sequence).Scan(&at.Digest); err != nil {
		w.t.Fatalf("the directory was never at %d: %v", sequence, err)
	}
	return at
}

// says has a node report what it holds of the directory, and whether its stream is open.
func (w *world) says(node string, sequence uint64, connected bool) {
	w.t.Helper()
	w.report(fleet.LaneReport{Node: node, Connected: connected, Held: w.state(sequence)})
}

func (w *world) report(reports ...fleet.LaneReport) {
	w.t.Helper()
	for i := range reports {
		r := &reports[i]
		if w.sessions[r.Node].IsZero() {
			w.sessions[r.Node] = id.New(time.Now())
		}
		if r.Session.IsZero() {
			r.Session = w.sessions[r.Node]
		}
		if r.Lane == 0 {
			r.Lane = edgev1.Lane_LANE_DIRECTORY
		}
	}
	if _, err := w.db.Fleet().Report(w.t.Context(), reports, time.Minute); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) status(sequence uint64) *adminv1.SequenceStatus {
	w.t.Helper()
	status, err := w.proofs.Status(w.t.Context(), w.environment(), sequence)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func (w *world) revocation(collection, key string) *adminv1.Revocation {
	w.t.Helper()
	r, err := w.proofs.Revocation(w.t.Context(), w.environment(), collection, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// of returns what a node says.
func (w *world) of(status *adminv1.SequenceStatus, node string) *adminv1.SequenceNode {
	w.t.Helper()
	for _, n := range status.GetNodes() {
		if n.GetNode() == node {
			return n
		}
	}
	w.t.Fatalf("%s isn't among %v", node, status.GetNodes())
	return nil
}

func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.db.Pool().QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool().Exec(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}
