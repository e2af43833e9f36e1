package postgres_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const idempotencyEnvironment = "env_01k00000000000000000000001"

// reserved returns a context under a reservation.
func reserved(t *testing.T, db *postgres.DB, n byte) (context.Context, *idempotency.Reservation) {
	t.Helper()
	r := &idempotency.Reservation{Scope: idempotency.Scope{n}, Holder: idempotency.Holder{n}}
	taken, err := db.IdempotencyKeys().Reserve(t.Context(), idempotency.Wanted{
		Scope: r.Scope, Holder: r.Holder, Actor: "a", Request: []byte{n}, Lease: time.Hour, Retention: time.Hour, Most: 100,
	})
	if err != nil || !taken {
		t.Fatalf("reserve: %v, %v", taken, err)
	}
	return idempotency.With(t.Context(), r), r
}

func stateOf(t *testing.T, db *postgres.DB, r *idempotency.Reservation) idempotency.State {
	t.Helper()
	record, found, err := db.IdempotencyKeys().Key(t.Context(), r.Scope)
	if err != nil || !found {
		t.Fatalf("read the key: %v, %v", found, err)
	}
	return record.State
}

func TestASingleStatementIsMarkedAsCarriedOutWithItsRequest(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx, r := reserved(t, db, 1)
	token := access.Token{ID: "tok_1", Name: "one", Role: access.RoleOwner, Digest: sha256.Sum256(nil), CreatedAt: time.Now()}
	if err := db.InsertAccessToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, db, r); state != idempotency.Committed {
		t.Errorf("it is %s", state)
	}
	ctx, r = reserved(t, db, 2)
	token.ID = "tok_2"
	if err := db.InsertAccessToken(ctx, token); problem.CodeOf(err) != problem.NameTaken {
		t.Errorf("got %v", err)
	}
	if state := stateOf(t, db, r); state != idempotency.Reserved {
		t.Errorf("what was refused is %s", state)
	}
	if err := db.InsertAccessToken(idempotency.Without(ctx), access.Token{ID: "tok_3", Name: "three", Digest: sha256.Sum256(nil), CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if state := stateOf(t, db, r); state != idempotency.Reserved {
		t.Errorf("another one's write made it %s", state)
	}
}

func TestAChangeOfTheRootKeySealsProposalsAndKeptAnswersAnew(t *testing.T) {
	t.Parallel()
	db := open(t)
	_, err := db.Pool().Exec(t.Context(), `INSERT INTO environments (id, name, description, epoch, revision, digest, sequence_needed, created_at)
		VALUES ('`+idempotencyEnvironment+`', 'production', '', 1, 0, decode(repeat('ab', 32), 'hex'), 0, now())`)
	if err != nil {
		t.Fatal(err)
	}
	record := proposals.Record{
		Environment: idempotencyEnvironment, ID: "prop_1", State: proposals.Open, AuthorID: "a", Summary: []byte{}, Details: []byte{}, Sealed: []byte("old proposal"), ExpiresAt: time.Now().Add(time.Hour),
	}
	if err := db.Proposals().Insert(t.Context(), record, 10); err != nil {
		t.Fatal(err)
	}
	_, r := reserved(t, db, 1)
	if err := db.IdempotencyKeys().Keep(t.Context(), r.Scope, r.Holder, []byte("old answer")); err != nil {
		t.Fatal(err)
	}
	hook := events.Hook{Environment: idempotencyEnvironment, Message: &adminv1.Webhook{Id: "wh_1", Name: "hook", Url: "https://hooks.example.com"}, Secret: []byte("old secret")}
	if err := db.Events().InsertWebhook(t.Context(), hook, 1); err != nil {
		t.Fatal(err)
	}
	things, err := db.Reseal(t.Context(), func(purpose string, sealed []byte) ([]byte, error) {
		return append([]byte(purpose+" was "), sealed...), nil
	})
	if err != nil || things != 3 {
		t.Fatalf("%d things, %v", things, err)
	}
	record, err = db.Proposals().Get(t.Context(), idempotencyEnvironment, "prop_1")
	if want := proposals.SealedFor(idempotencyEnvironment, "prop_1") + " was old proposal"; err != nil || string(record.Sealed) != want {
		t.Errorf("the proposal holds %q, %v; want %q", record.Sealed, err, want)
	}
	kept, _, err := db.IdempotencyKeys().Key(t.Context(), r.Scope)
	if want := idempotency.SealedFor(r.Scope) + " was old answer"; err != nil || string(kept.Sealed) != want {
		t.Errorf("the answer is %q, %v; want %q", kept.Sealed, err, want)
	}
	hook, err = db.Events().Webhook(t.Context(), idempotencyEnvironment, "wh_1")
	if want := events.SealedFor("wh_1") + " was old secret"; err != nil || string(hook.Secret) != want || hook.Former != nil {
		t.Errorf("the webhook signs with %q and %q, %v; want %q", hook.Secret, hook.Former, err, want)
	}
	if err := db.ForgetSealed(t.Context()); err != nil {
		t.Fatal(err)
	}
	record, err = db.Proposals().Get(t.Context(), idempotencyEnvironment, "prop_1")
	if err != nil || record.State != proposals.Withdrawn || record.Sealed != nil {
		t.Errorf("once the root key is lost the proposal is %s, %q, %v", record.State, record.Sealed, err)
	}
	if _, found, err := db.IdempotencyKeys().Key(t.Context(), r.Scope); found || err != nil {
		t.Errorf("once the root key is lost the answer is kept: %v", err)
	}
	if hook, err = db.Events().Webhook(t.Context(), idempotencyEnvironment, "wh_1"); err != nil || !hook.Message.GetDisabled() {
		t.Errorf("once the root key is lost the webhook is %v, %v", hook.Message, err)
	}
}
