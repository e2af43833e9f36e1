package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var author = access.Actor{ID: "tok_test", Name: "Ada", Grants: access.System().Grants}

type world struct {
	t         *testing.T
	db        *postgres.DB
	vault     *secrets.Vault
	keeper    *idempotency.Keeper
	publisher *publish.Publisher
	env       string
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
	keeper, err := idempotency.Load(t.Context(), db.IdempotencyKeys(), vault, log)
	if err != nil {
		t.Fatal(err)
	}
	env, err := environments.New(db, vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, author)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, db: db, vault: vault, keeper: keeper, publisher: publish.New(db, catalog.New(db, log), vault, log), env: env.GetId()}
}

// request is what comes under a key. A lease of 0 is over at once: whoever holds it is taken for dead.
func request(key string, lease time.Duration) idempotency.Request {
	return idempotency.Request{Actor: "tok_1", Operation: "createConsumer", Path: "/consumers", Key: key, Body: []byte(`{"name":"shop"}`), Lease: lease}
}

func (w *world) reserve(r idempotency.Request) *idempotency.Reservation {
	w.t.Helper()
	reservation, reply, err := w.keeper.Begin(w.t.Context(), r)
	if err != nil || reply != nil || reservation == nil {
		w.t.Fatalf("reserve: %v, %v, %v", reservation, reply, err)
	}
	return reservation
}

func (w *world) refused(r idempotency.Request, code problem.Code) (told string) {
	w.t.Helper()
	reservation, reply, err := w.keeper.Begin(w.t.Context(), r)
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != code {
		w.t.Fatalf("got %v, %v, %v; want %s", reservation, reply, err, code)
	}
	return p.Public
}

// create makes a consumer under a reservation.
func (w *world) create(r *idempotency.Reservation, name string) (publish.Result, error) {
	return w.publisher.Apply(idempotency.With(w.t.Context(), r), publish.Batch{Environment: w.env, Author: author, Operations: []publish.Operation{
		{Verb: publish.Create, Collection: "consumers", Body: fmt.Appendf(nil, `{"name":%q}`, name)},
	}})
}

func (w *world) count(query string) (n int) {
	w.t.Helper()
	if err := w.db.Pool().QueryRow(w.t.Context(), query).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestWhatIsRepeatedIsAnsweredAsItWas(t *testing.T) {
	w := newWorld(t)
	mine := w.reserve(request("k", time.Hour))
	w.refused(request("k", time.Hour), problem.IdempotencyInProgress)
	w.keeper.Keep(t.Context(), mine, idempotency.Reply{Status: 201, Header: map[string]string{"ETag": `"x"`}, Body: []byte("made")})
	reservation, reply, err := w.keeper.Begin(t.Context(), request("k", time.Hour))
	if err != nil || reservation != nil || reply.Status != 201 || string(reply.Body) != "made" || reply.Header["ETag"] != `"x"` {
		t.Fatalf("got %v, %v, %v", reservation, reply, err)
	}
	other := request("k", time.Hour)
	other.Body = []byte(`{"name":"other"}`)
	w.refused(other, problem.IdempotencyMismatch)
	for name, change := range map[string]func(*idempotency.Request){
		"another actor":     func(r *idempotency.Request) { r.Actor = "tok_2" },
		"another operation": func(r *idempotency.Request) { r.Operation = "createRoute" },
		"another path":      func(r *idempotency.Request) { r.Path = "/routes" },
		"another key":       func(r *idempotency.Request) { r.Key = "l" },
	} {
		r := request("k", time.Hour)
		change(&r)
		if reservation, reply, err := w.keeper.Begin(t.Context(), r); err != nil || reply != nil || reservation == nil {
			t.Errorf("%s: %v, %v, %v", name, reservation, reply, err)
		}
	}
}

func TestOfManyAtOnceOneIsCarriedOut(t *testing.T) {
	w := newWorld(t)
	var carried atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			reservation, _, err := w.keeper.Begin(t.Context(), request("k", time.Hour))
			if reservation != nil {
				carried.Add(1)
			} else if problem.CodeOf(err) != problem.IdempotencyInProgress {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := carried.Load(); n != 1 {
		t.Errorf("%d attempts were let through", n)
	}
}

// The process dies between the commit and the answer: Keep is never called, and its lease ends.
func TestWhatWasCommittedBeforeItsProcessDiedIsNotDoneAgain(t *testing.T) {
	w := newWorld(t)
	result, err := w.create(w.reserve(request("k", 0)), "shop")
	if err != nil {
		t.Fatal(err)
	}
	lost := w.refused(request("k", 0), problem.IdempotencyReplyLost)
	for _, told := range []string{fmt.Sprintf("sequence %d", result.Sequence), result.Outcomes[0].ID} {
		if !strings.Contains(lost, told) {
			t.Errorf("%q doesn't tell %s", lost, told)
		}
	}
	if n := w.count("SELECT count(*) FROM consumers"); n != 1 {
		t.Errorf("there are %d consumers", n)
	}
}

func TestWhatWasNotCommittedBeforeItsProcessDiedIsDoneByTheNext(t *testing.T) {
	w := newWorld(t)
	dead := w.reserve(request("k", 0))
	next := w.reserve(request("k", time.Hour))
	// It wasn't dead, only slow: it must not commit beside the next.
	if _, err := w.create(dead, "slow"); problem.CodeOf(err) != problem.IdempotencyInProgress {
		t.Fatalf("the attempt that was taken for dead got %v", err)
	}
	w.keeper.Release(t.Context(), dead) // nor free the next one's key
	w.refused(request("k", time.Hour), problem.IdempotencyInProgress)
	if _, err := w.create(next, "shop"); err != nil {
		t.Fatal(err)
	}
	if n := w.count("SELECT count(*) FROM consumers"); n != 1 {
		t.Errorf("there are %d consumers", n)
	}
}

func TestARefusalFreesTheKeyUnlessSomethingWasCommitted(t *testing.T) {
	w := newWorld(t)
	refused := w.reserve(request("k", time.Hour))
	if _, err := w.create(refused, "No Such Name"); err == nil {
		t.Fatal("it isn't refused")
	}
	w.keeper.Release(t.Context(), refused)
	again := w.reserve(request("k", time.Hour))
	if _, err := w.create(again, "shop"); err != nil {
		t.Fatal(err)
	}
	w.keeper.Release(t.Context(), again) // its answer failed
	w.refused(request("k", time.Hour), problem.IdempotencyReplyLost)
}

func TestADryRunCommitsNothing(t *testing.T) {
	w := newWorld(t)
	r := w.reserve(request("k", 0))
	_, err := w.publisher.Apply(idempotency.With(t.Context(), r), publish.Batch{Environment: w.env, Author: author, DryRun: true, Operations: []publish.Operation{
		{Verb: publish.Create, Collection: "consumers", Body: []byte(`{"name":"shop"}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.reserve(request("k", 0))
}

func TestAnAnswerThatIsTooLargeIsLostRatherThanDoneTwice(t *testing.T) {
	w := newWorld(t)
	r := w.reserve(request("k", time.Hour))
	if _, err := w.create(r, "shop"); err != nil {
		t.Fatal(err)
	}
	w.keeper.Keep(t.Context(), r, idempotency.Reply{Status: 201, Body: make([]byte, idempotency.MaxReply+1)})
	w.refused(request("k", time.Hour), problem.IdempotencyReplyLost)
}

func TestAKeptAnswerLiesSealedAndTheRequestCannotBeGuessed(t *testing.T) {
	w := newWorld(t)
	w.keeper.Keep(t.Context(), w.reserve(request("my-own-key", time.Hour)), idempotency.Reply{Status: 201, Body: []byte("spk_secret")})
	var scope, digest, sealed []byte
	var row string
	err := w.db.Pool().QueryRow(t.Context(), "SELECT scope, request, sealed, k::text FROM idempotency_keys k").Scan(&scope, &digest, &sealed, &row)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("spk_secret")) || strings.Contains(row, "my-own-key") {
		t.Errorf("it lies in plain: %s", row)
	}
	// Under another root key the same request has another digest: it is keyed.
	another := newWorld(t)
	another.reserve(request("my-own-key", time.Hour))
	var other []byte
	if err := another.db.Pool().QueryRow(t.Context(), "SELECT request FROM idempotency_keys").Scan(&other); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(digest, other) {
		t.Error("the digest of a request isn't keyed")
	}
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	w := newWorld(t)
	w.keeper.Keep(t.Context(), w.reserve(request("old", time.Hour)), idempotency.Reply{Status: 201})
	w.keeper.Keep(t.Context(), w.reserve(request("new", time.Hour)), idempotency.Reply{Status: 201})
	age := "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE scope = (SELECT scope FROM idempotency_keys ORDER BY created_at LIMIT 1)"
	if _, err := w.db.Pool().Exec(t.Context(), age); err != nil {
		t.Fatal(err)
	}
	w.reserve(request("old", time.Hour)) // without waiting for the sweep
	if _, err := w.db.Pool().Exec(t.Context(), strings.Replace(age, "ORDER BY created_at", "ORDER BY created_at DESC", 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.keeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.count("SELECT count(*) FROM idempotency_keys"); n != 1 {
		t.Errorf("%d keys are left, want the new one", n)
	}
}

func TestAnActorHasABoundedNumberOfKeys(t *testing.T) {
	w := newWorld(t)
	store := w.db.IdempotencyKeys()
	take := func(n byte, actor string) bool {
		t.Helper()
		taken, err := store.Reserve(context.Background(), idempotency.Wanted{
			Scope: idempotency.Scope{n}, Holder: idempotency.Holder{n}, Actor: actor, Request: []byte{1}, Lease: time.Hour, Retention: time.Hour, Most: 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	if !take(1, "a") || !take(2, "a") || take(3, "a") || !take(4, "b") {
		t.Error("the bound of 2 keys an actor isn't held")
	}
}

func TestAKeyIsOneWordOfVisibleASCII(t *testing.T) {
	for _, good := range []string{"a", strings.Repeat("x", 255), `"8e03978e-40d5-43dd-bc93-6894a57f9324"`} {
		if err := idempotency.CheckKey(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 256), "a b", "a\x00", "ä", "\x7f", "\xff"} {
		if problem.CodeOf(idempotency.CheckKey(bad)) != problem.InvalidRequest {
			t.Errorf("%q is taken", bad)
		}
	}
}
