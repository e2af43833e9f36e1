package environments_test

import (
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (*environments.Environments, *postgres.DB, *secrets.Vault) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey(strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	return environments.New(db, vault), db, vault
}

func TestNewEnvironmentBeginsWithOnePepperAndNothingElse(t *testing.T) {
	t.Parallel()
	all, db, vault := start(t)
	made, err := all.Create(t.Context(), &adminv1.Environment{Name: "production", Description: "what counts"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{made.GetId(), "production"} {
		got, err := all.Get(t.Context(), key)
		if err != nil || got.String() != made.String() {
			t.Errorf("%s: %v, %v; want %v", key, got, err, made)
		}
	}
	if made.GetEpoch() != 1 || made.GetRevision() != 0 || made.GetSequence() != 1 {
		t.Errorf("got %v", made)
	}
	n := 0
	head, err := db.Lanes(vault).DirectoryEntries(t.Context(), made.GetId(), func(*edgev1.EntryChange) error { n++; return nil })
	if err != nil || n != 1 || head.Number != 1 {
		t.Errorf("%d entries, %+v, %v", n, head, err)
	}
}

func TestEnvironmentIsRefusedWithEveryBadField(t *testing.T) {
	t.Parallel()
	all, _, _ := start(t)
	_, err := all.Create(t.Context(), &adminv1.Environment{Name: "Bad_Name", Id: "env_x", Epoch: 3, Description: strings.Repeat("x", 2000)}, access.Actor{})
	var pointers []string
	for _, v := range problem.From(err).Errors {
		pointers = append(pointers, v.Pointer)
	}
	for _, want := range []string{"/id", "/name", "/epoch", "/description"} {
		if !strings.Contains(strings.Join(pointers, " ")+" ", want+" ") {
			t.Errorf("%s is not among %v", want, pointers)
		}
	}
	if _, err := all.Get(t.Context(), "nobody"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestOneOfTwoEnvironmentsGetsTheName(t *testing.T) {
	t.Parallel()
	all, _, _ := start(t)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = all.Create(t.Context(), &adminv1.Environment{Name: "same"}, access.Actor{})
		})
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if problem.CodeOf(err) != problem.NameTaken {
			t.Errorf("got %v", err)
		}
	}
	if made != 1 {
		t.Errorf("%d were made", made)
	}
}

func TestEnvironmentsAreListedInPages(t *testing.T) {
	t.Parallel()
	all, _, _ := start(t)
	for _, name := range []string{"c", "a", "b"} {
		if _, err := all.Create(t.Context(), &adminv1.Environment{Name: name}, access.Actor{}); err != nil {
			t.Fatal(err)
		}
	}
	var names string
	q := listing.Query{Limit: 2}
	for {
		page, err := all.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range page.Items {
			names += env.GetName()
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if names != "abc" {
		t.Errorf("got %q", names)
	}
	if _, err := all.List(t.Context(), listing.Query{Labels: "a=b", Filter: map[string]string{"x": "y"}}); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("got %v", err)
	}
}
