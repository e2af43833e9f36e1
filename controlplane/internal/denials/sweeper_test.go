package denials_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/denials"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

func (w *world) sweeper(between denials.Publisher) *denials.Sweeper {
	return denials.NewSweeper(w.db, w.directory, between, access.System(), slog.New(slog.DiscardHandler))
}

func (w *world) block(name, expires string) string {
	w.t.Helper()
	body := `{"name":"` + name + `","address_range":"192.0.2.0/24"`
	if expires != "" {
		body += `,"expires_at":"` + expires + `"`
	}
	return w.apply(publish.Create, "blocks", "", body+"}").Outcomes[0].ID
}

func TestSweepRemovesWhatHasExpiredLongEnoughAndKeepsItsProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.block("old", "2020-01-01T00:00:00Z")
	w.block("fresh", time.Now().Add(-time.Second).Format(time.RFC3339)) // a node's clock may be behind
	w.block("lasting", "2999-01-01T00:00:00Z")
	w.block("endless", "")
	if err := w.sweeper(w.publisher).Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]problem.Code{"old": problem.NotFound, "fresh": "", "lasting": "", "endless": ""} {
		if _, err := w.directory.Get(t.Context(), w.env, directory.Blocks, name); problem.CodeOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := w.revocation("blocks", old); got.GetCause() != "blocked" || got.LiftedBy == nil {
		t.Errorf("the proof of a block that was removed: %v", got)
	}
	sequence := w.environment().GetSequence()
	if err := w.sweeper(w.publisher).Look(t.Context()); err != nil || w.environment().GetSequence() != sequence {
		t.Errorf("with nothing to do: %v, %d", err, w.environment().GetSequence())
	}
}

// extending gives a block a later expiry just before the sweeper's write.
type extending struct {
	*world
	name string
}

func (e extending) Apply(ctx context.Context, batch publish.Batch) (publish.Result, error) {
	e.apply(publish.Patch, "blocks", e.name, `{"expires_at":"2999-01-01T00:00:00Z"}`)
	return e.publisher.Apply(ctx, batch)
}

func TestABlockThatIsMadeToLastLongerMeanwhileStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.block("old", "2020-01-01T00:00:00Z")
	if err := w.sweeper(extending{w, "old"}).Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.directory.Get(t.Context(), w.env, directory.Blocks, "old"); err != nil {
		t.Error(err)
	}
}

func TestTwoReplicasSweepAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.block("old", "2020-01-01T00:00:00Z")
	errs := make(chan error)
	for range 2 {
		go func() { errs <- w.sweeper(w.publisher).Look(t.Context()) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := w.count("SELECT count(*) FROM blocks"); n != 0 {
		t.Errorf("%d blocks", n)
	}
}

func TestRecordsOfDenialsAreForgottenTogetherInTheirTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	node := w.enrol("n")
	key, first := w.revoked("old")
	_, second := w.revoked("new")
	w.says(node, second, true)
	w.exec("UPDATE denial_commits SET committed_at = committed_at - interval '91 days' WHERE sequence = $1", int64(first))
	if err := w.sweeper(w.publisher).Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"denial_commits", "denials", "denial_acks"} {
		if n := w.count("SELECT count(*) FROM " + table); n != 1 {
			t.Errorf("%d rows of %s", n, table)
		}
	}
	if _, err := w.proofs.Revocation(t.Context(), w.environment(), "api-keys", key); problem.CodeOf(err) != problem.NotFound {
		t.Error(err)
	}
}
