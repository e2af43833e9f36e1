package keylife_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an environment with a consumer "app", and whatever nodes report.
type world struct {
	t         *testing.T
	db        *postgres.DB
	directory *directory.Directory
	publisher *publish.Publisher
	usage     *usage.Reports
	keys      *keylife.Keys
	retirer   *keylife.Retirer
	env       string
	batches   uint64
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
	w := &world{t: t, db: db, directory: directory.New(db), publisher: publish.New(db, catalog.New(db, log), vault, log), usage: usage.NewReports(db.Usage())}
	w.keys = keylife.New(db, w.directory, w.publisher, w.usage, vault)
	w.retirer = keylife.NewRetirer(db, w.directory, w.publisher, w.usage, access.System(), log)
	if err := usage.NewUpkeep(db.Usage(), log, new(usage.UpkeepStats)).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := environments.New(db, vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	w.env = made.GetId()
	w.apply(publish.Create, "consumers", "", `{"name":"app"}`)
	return w
}

func (w *world) apply(verb publish.Verb, collection, key, body string) publish.Result {
	w.t.Helper()
	op := publish.Operation{Verb: verb, Collection: collection, Key: key, Body: []byte(body)}
	result, err := w.publisher.Apply(context.WithoutCancel(w.t.Context()), publish.Batch{Environment: w.env, Author: access.System(), Operations: []publish.Operation{op}})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// key makes a key and returns its id.
func (w *world) key(name, more string) string {
	w.t.Helper()
	return w.apply(publish.Create, "api-keys", "", fmt.Sprintf(`{"name":%q,"consumer":"app"%s}`, name, more)).Outcomes[0].ID
}

// has tells whether there is a key of this name.
func (w *world) has(name string) bool {
	w.t.Helper()
	_, err := w.directory.Get(w.t.Context(), w.env, directory.APIKeys, name)
	return err == nil
}

// ago makes a key older than it is.
func (w *world) ago(name string, age time.Duration) {
	w.t.Helper()
	w.exec("UPDATE api_keys SET created_at = now() - make_interval(secs => $2) WHERE name = $1", name, age.Seconds())
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Pool().Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// used has a node report that a key was used so often, the last time at a time, from addresses, the latest first.
func (w *world) used(key string, requests uint64, at time.Time, addresses ...[]byte) {
	w.t.Helper()
	w.batches++
	w.report(w.batches, key, requests, at, addresses...)
}

// report is used, as the batch of a number.
func (w *world) report(number uint64, key string, requests uint64, at time.Time, addresses ...[]byte) {
	w.t.Helper()
	raw, err := id.Parse(id.APIKey, key)
	if err != nil {
		w.t.Fatal(err)
	}
	b := &usagev1.Batch{Node: "node_1", Environment: w.env, Boot: "boot", Number: number}
	b.Credentials = []*usagev1.CredentialCount{{Credential: raw[:], Consumer: raw[:], Hour: at.Unix() / 3600, Requests: requests, LastUsedMs: at.UnixMilli()}}
	for i, address := range addresses {
		b.Events = append(b.Events, &usagev1.Event{
			TimeMs: at.UnixMilli() - int64(i), RequestId: fmt.Sprintf("req_%d_%d", number, i), Status: 200, Verdict: "allowed", Client: address, Credential: raw[:],
		})
	}
	if _, err := w.db.Usage().Ingest(w.t.Context(), []*usagev1.Batch{b}); err != nil {
		w.t.Fatal(err)
	}
}

// enrol adds a node that was never heard since.
func (w *world) enrol(name string, at time.Time) {
	w.t.Helper()
	token := fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(at)), Environment: w.env, Name: "rack", Lookup: "lookup", Digest: make([]byte, 32),
		ExpiresAt: at.Add(1000 * time.Hour), MaxUses: 100, CreatedAt: at,
	}
	if err := w.db.Fleet().InsertJoinToken(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
	node := fleet.Newcomer{ID: id.Text(id.Node, id.New(at)), Name: name, JoinToken: token.ID, BusKey: "U", EnrolledAt: at, CertificateExpires: at.Add(1000 * time.Hour)}
	if err := w.db.Fleet().Enrol(w.t.Context(), node); err != nil {
		w.t.Fatal(err)
	}
}

// deeds counts the actions in the environment's record.
func (w *world) deeds() map[string]int {
	w.t.Helper()
	counts := make(map[string]int)
	record := audit.NewLog(w.db.Audit(), audit.NewHeads(w.db.Audit(), nil, slog.New(slog.DiscardHandler), new(audit.Stats)))
	err := record.Export(w.t.Context(), w.env, 0, audit.Span{}, func(e *adminv1.AuditEvent) error {
		for _, c := range e.GetChanges() {
			counts[c.GetAction()]++
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

func (w *world) request() keylife.Request {
	return keylife.Request{Environment: w.env, Author: access.System(), Bounds: access.Bounds{Whole: true}}
}
