package publish_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rootKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// replica is one control plane as far as writing goes, on a database that others may share.
type replica struct {
	t         testing.TB
	db        *postgres.DB
	vault     *secrets.Vault
	catalog   *catalog.Catalog
	directory *directory.Directory
	publisher *publish.Publisher
	env       string // the environment that tests write to
}

// start makes a database with one environment, and a replica on it.
func start(t testing.TB) *replica {
	t.Helper()
	url := postgrestest.Database(t, postgres.Migrate)
	r := join(t, url, "")
	env, err := environments.New(r.db, r.vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, author)
	if err != nil {
		t.Fatalf("create environment: %v", err)
	}
	r.env = env.GetId()
	return r
}

// join starts a replica on a database.
func join(t testing.TB, url, env string) *replica {
	t.Helper()
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey(rootKey)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatalf("open vault: %v", err)
	}
	log := slog.New(slog.DiscardHandler)
	c := catalog.New(db, log)
	return &replica{
		t: t, db: db, vault: vault, catalog: c, directory: directory.New(db),
		publisher: publish.New(db, c, vault, log), env: env,
	}
}

// another starts a second replica beside this one.
func (r *replica) another() *replica {
	r.t.Helper()
	return join(r.t, r.db.Pool().Config().ConnString(), r.env)
}

var author = access.Actor{ID: "tok_test", Name: "Ada", Role: "owner", Grants: access.System().Grants}

func (r *replica) apply(ops ...publish.Operation) (publish.Result, error) {
	return r.publisher.Apply(context.WithoutCancel(r.t.Context()), publish.Batch{Environment: r.env, Author: author, Message: "test", Operations: ops})
}

func (r *replica) must(ops ...publish.Operation) publish.Result {
	r.t.Helper()
	result, err := r.apply(ops...)
	if err != nil {
		r.t.Fatalf("apply %v: %v", ops[0], err)
	}
	return result
}

// refused applies operations that must not pass, and returns why.
func (r *replica) refused(ops ...publish.Operation) *problem.Error {
	r.t.Helper()
	_, err := r.apply(ops...)
	return asProblem(r.t, err)
}

func asProblem(t testing.TB, err error) *problem.Error {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("not refused, or by no problem: %v", err)
	}
	return p
}

func create(collection, body string) publish.Operation {
	return publish.Operation{Verb: publish.Create, Collection: collection, Body: []byte(body)}
}

func put(collection, key, body string) publish.Operation {
	return publish.Operation{Verb: publish.Put, Collection: collection, Key: key, Body: []byte(body)}
}

func patch(collection, key, body string) publish.Operation {
	return publish.Operation{Verb: publish.Patch, Collection: collection, Key: key, Body: []byte(body)}
}

func remove(collection, key string) publish.Operation {
	return publish.Operation{Verb: publish.Delete, Collection: collection, Key: key}
}

func service(name string) string {
	return fmt.Sprintf(`{"name":%q,"upstream":{"targets":[{"address":"127.0.0.1:8080"}]}}`, name)
}

func route(name, service, path string) string {
	return fmt.Sprintf(`{"name":%q,"service":%q,"paths":[{"prefix":%q}],"public":true}`, name, service, path)
}

func protectedRoute(name, service, path string) string {
	return fmt.Sprintf(`{"name":%q,"service":%q,"paths":[{"prefix":%q}]}`, name, service, path)
}

func keyPolicy(name, attachedTo string) string {
	return fmt.Sprintf(`{"name":%q,"kind":"api-key","config":{},"attached_to":[%s]}`, name, attachedTo)
}

// found lists violations as "pointer code", sorted.
func found(p *problem.Error) []string {
	var list []string
	for _, v := range p.Errors {
		list = append(list, v.Pointer+" "+v.Code)
	}
	slices.Sort(list)
	return list
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
