package proposals_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/api"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// People. Nobody else comes in.
var (
	ada   = access.Actor{ID: "tok_ada", Name: "Ada", Role: "owner", Grants: access.System().Grants}
	grace = access.Actor{ID: "tok_grace", Name: "Grace", Role: "owner", Grants: access.System().Grants}
	linus = access.Actor{ID: "tok_linus", Name: "Linus", Role: "owner", Grants: access.System().Grants}
)

// world is one control plane with an environment.
type world struct {
	t         *testing.T
	url       string
	db        *postgres.DB
	publisher *publish.Publisher
	proposals *proposals.Proposals
	catalog   *catalog.Catalog
	env       string
	now       time.Time // moved by tests
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, url: postgrestest.Database(t, postgres.Migrate), now: time.Now()}
	vault := w.join()
	made, err := environments.New(w.db, vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, ada)
	if err != nil {
		t.Fatal(err)
	}
	w.env = made.GetId()
	return w
}

// replica is the same world through another control plane.
func (w *world) replica() *world {
	w.t.Helper()
	other := &world{t: w.t, url: w.url, env: w.env, now: w.now}
	other.join()
	return other
}

func (w *world) join() *secrets.Vault {
	w.t.Helper()
	var err error
	if w.db, err = postgres.Open(w.t.Context(), w.url); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		w.t.Fatal(err)
	}
	vault, err := secrets.Open(w.t.Context(), root, w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w.catalog = catalog.New(w.db, log)
	w.publisher = publish.New(w.db, w.catalog, vault, log)
	w.proposals = proposals.New(proposals.Config{
		Store: w.db.Proposals(), Publisher: w.publisher, Sealer: vault, Face: api.Face{}, Logger: log, Now: func() time.Time { return w.now },
	})
	return vault
}

// write writes directly.
func (w *world) write(verb publish.Verb, collection, key, body string) {
	w.t.Helper()
	if err := w.try(verb, collection, key, body); err != nil {
		w.t.Fatalf("%s %s %s: %v", verb, collection, key, err)
	}
}

func (w *world) try(verb publish.Verb, collection, key, body string) error {
	_, err := w.publisher.Apply(context.WithoutCancel(w.t.Context()), publish.Batch{
		Environment: w.env, Author: ada, Operations: []publish.Operation{{Verb: verb, Collection: collection, Key: key, Body: []byte(body)}},
	})
	return err
}

// demand makes the environment demand four eyes.
func (w *world) demand() { w.write(publish.Patch, "settings", "settings", `{"four_eyes":true}`) }

// step is one operation of a proposal.
func step(t *testing.T, action, collection, key string, body map[string]any) *adminv1.Operation {
	t.Helper()
	op := &adminv1.Operation{Action: action, Collection: collection, Key: key}
	if body != nil {
		var err error
		if op.Body, err = structpb.NewStruct(body); err != nil {
			t.Fatal(err)
		}
	}
	return op
}

func service(name string) map[string]any {
	return map[string]any{"name": name, "upstream": map[string]any{"targets": []any{map[string]any{"address": "10.0.0.1:80"}}}}
}

const serviceJSON = `{"name":"orders","upstream":{"targets":[{"address":"10.0.0.1:80"}]}}`

// file files a proposal of Ada's.
func (w *world) file(ops ...*adminv1.Operation) *adminv1.Proposal {
	w.t.Helper()
	return w.fileRequest(&adminv1.ProposalRequest{Title: "a change", Operations: ops})
}

func (w *world) fileRequest(wanted *adminv1.ProposalRequest) *adminv1.Proposal {
	w.t.Helper()
	made, err := w.proposals.File(w.t.Context(), w.env, ada, wanted, false)
	if err != nil {
		w.t.Fatalf("file: %v", err)
	}
	return made
}

func (w *world) approve(p *adminv1.Proposal, by access.Actor) *adminv1.Proposal {
	w.t.Helper()
	approved, err := w.proposals.Approve(w.t.Context(), w.env, p.GetId(), by, &adminv1.ApprovalRequest{Round: p.GetRound()})
	if err != nil {
		w.t.Fatalf("approve: %v", err)
	}
	return approved
}

func (w *world) get(p *adminv1.Proposal) *adminv1.Proposal {
	w.t.Helper()
	now, err := w.proposals.Get(w.t.Context(), w.env, p.GetId())
	if err != nil {
		w.t.Fatalf("get: %v", err)
	}
	return now
}

func (w *world) publish(p *adminv1.Proposal, by access.Actor) error {
	_, _, err := w.proposals.Publish(w.t.Context(), w.env, p.GetId(), by)
	return err
}

// there tells whether the configuration has an object.
func (w *world) there(collection, key string) bool {
	w.t.Helper()
	_, err := w.catalog.Get(w.t.Context(), w.env, collection, key)
	if err != nil && problem.CodeOf(err) != problem.NotFound {
		w.t.Fatal(err)
	}
	return err == nil
}

// refused fails unless an error has this code.
func refused(t *testing.T, code problem.Code, err error) {
	t.Helper()
	_ = refusal(t, code, err)
}

// refusal is refused, and returns the problem.
func refusal(t *testing.T, code problem.Code, err error) *problem.Error {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return p
}
