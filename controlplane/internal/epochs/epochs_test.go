package epochs_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// story has a consumer with keys, a dump of that, and a node that was told all that happened since.
func story(t *testing.T, since func(r *replica)) (r *replica, n node) {
	t.Helper()
	r = start(t)
	r.consumer("shop")
	for _, name := range []string{"revoked", "shortened", "kept"} {
		r.key(name, "shop")
	}
	return r.after(func() { since(r) })
}

// after is what is left when a dump is restored that was made before something happened, and the node that was told of it.
func (r *replica) after(since func()) (restored *replica, n node) {
	r.t.Helper()
	restore := postgrestest.Dump(r.t, r.url)
	since()
	n = r.node("node_a")
	restore()
	return r.another(), n
}

func TestRevokedKeyIsDeadAfterAnOlderDumpIsRestored(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) { r.revoke("revoked") })
	if !r.lives("revoked") {
		t.Fatal("the dump doesn't have it")
	}
	if !r.open(n.evidence(r)) || !r.recall(n) {
		t.Fatal("no epoch, or no recall")
	}
	if r.lives("revoked") || !r.lives("kept") || !r.lives("shortened") {
		t.Error("not the revoked key alone is dead")
	}
	now := r.epoch()
	if now.Number != 2 || now.Prover != "node_a" || !now.RecallUntil.IsZero() || now.Taken != 1 || now.Lost.Sequence != n.Number || now.Ended.Sequence != n.Number-1 {
		t.Errorf("recorded as %s", text(now))
	}
	if !strings.Contains(now.Gone(), "sequence 6 of epoch 1") {
		t.Errorf("told as %q", now.Gone())
	}
	r.consistent()
	if r.recall(n) {
		t.Error("the same state is asked for twice")
	}
}

func TestSuspensionAndEarlierExpiryAreTakenBack(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	r, n := story(t, func(r *replica) {
		r.apply(publish.Patch, directory.Consumers, "shop", `{"suspended":true}`)
		r.apply(publish.Patch, directory.APIKeys, "shortened", `{"expires_at":"`+end.Format(time.RFC3339Nano)+`"}`)
		r.apply(publish.Patch, directory.APIKeys, "kept", `{"scopes":["other"]}`)
	})
	r.open(n.evidence(r))
	r.recall(n)
	shop, _ := r.get(directory.Consumers, "shop")
	if !shop.(*adminv1.Consumer).GetSuspended() {
		t.Error("the suspension is lost")
	}
	if got := r.apiKey("shortened").GetExpiresAt().AsTime(); !got.Equal(end) {
		t.Errorf("it ends at %s, want %s", got, end)
	}
	if !slices.Equal(r.apiKey("kept").GetScopes(), []string{"write", "read"}) || !r.lives("revoked") {
		t.Error("what denies nothing was changed")
	}
	if got := r.stats.Taken.Load(); got != 2 {
		t.Errorf("%d taken", got)
	}
	r.consistent()
}

func TestWhatWasMadeAfterTheRestoreStays(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) {
		r.revoke("revoked")
		r.key("lost", "shop")
	})
	r.consumer("later")
	r.key("later", "later") // the fork: at the node's own number, and then beyond it
	r.key("beyond", "later")
	if !r.open(n.evidence(r)) {
		t.Fatal("a node of another history opens no epoch")
	}
	r.recall(n)
	if r.lives("revoked") || r.lives("lost") || !r.lives("later") || !r.lives("beyond") || !r.lives("kept") {
		t.Error("not the revoked key alone is dead")
	}
	r.consistent()
}

func TestEvidenceOfWhatTheDatabaseKnowsOpensNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("shop")
	behind := r.node("node_a").evidence(r)
	r.consumer("other")
	for name, found := range map[string]epochs.Evidence{
		"the head":             r.node("node_b").evidence(r),
		"an earlier state":     behind,
		"no revision":          {Environment: r.env, Lane: edgev1.Lane_LANE_CONFIGURATION, Epoch: 1, Digest: bytes.Repeat([]byte{1}, 32)},
		"the epoch before one": {Environment: r.env, Lane: edgev1.Lane_LANE_DIRECTORY, Epoch: 0, Number: 9, Digest: bytes.Repeat([]byte{1}, 32)},
	} {
		if r.open(found) || r.epoch().Number != 1 {
			t.Errorf("%s opens an epoch", name)
		}
	}
}

func TestEpochIsLaterThanAnyThatANodeWasIn(t *testing.T) {
	t.Parallel()
	r := start(t)
	found := r.node("node_a").evidence(r)
	found.Epoch = 7
	if !r.open(found) || r.epoch().Number != 8 {
		t.Errorf("epoch %d", r.epoch().Number)
	}
}

func TestManyThatProveTheSameOpenOneEpoch(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) { r.revoke("revoked") })
	other := r.another()
	var wg sync.WaitGroup
	for i := range 8 {
		at := []*replica{r, other}[i%2]
		found := n.evidence(at)
		found.Lane = []edgev1.Lane{edgev1.Lane_LANE_DIRECTORY, edgev1.Lane_LANE_CONFIGURATION}[i/4]
		wg.Go(func() {
			if _, err := at.epochs.Open(t.Context(), found); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := r.epoch().Number; got != 2 {
		t.Errorf("epoch %d", got)
	}
	if opened := r.stats.Opened.Load() + other.stats.Opened.Load(); opened != 1 {
		t.Errorf("%d opened", opened)
	}
}

func TestEnvironmentsDoNotShareEpochs(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) { r.revoke("revoked") })
	other := r.environment("staging")
	r.open(n.evidence(r))
	found, err := r.db.Epochs().Epochs(t.Context(), other, 1<<40, 10)
	if err != nil || len(found) != 0 {
		t.Errorf("%v: %v", found, err)
	}
}

func TestNodeCanShowNothingThatWasNotSignedFor(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) {
		r.revoke("revoked")
		r.apply(publish.Patch, directory.APIKeys, "kept", `{"scopes":["other"]}`)
	})
	otherEnvironment := r.another()
	otherEnvironment.env = r.environment("staging")
	foreign := otherEnvironment.node("node_x")
	r.open(n.evidence(r))
	for name, bend := range map[string]func(*edgev1.Holdings) *edgev1.Holdings{
		"no head":                func(h *edgev1.Holdings) *edgev1.Holdings { h.Head = nil; return h },
		"another environment":    func(h *edgev1.Holdings) *edgev1.Holdings { h.Head = foreign.signed; return h },
		"another sum":            func(h *edgev1.Holdings) *edgev1.Holdings { flip(h.GetSums()); return h },
		"too few sums":           func(h *edgev1.Holdings) *edgev1.Holdings { h.Sums = h.Sums[:min(len(h.Sums), 32)]; return h },
		"another hash":           func(h *edgev1.Holdings) *edgev1.Holdings { eachBucket(h, flip); return h },
		"a bucket nobody wanted": func(h *edgev1.Holdings) *edgev1.Holdings { eachNumber(h); return h },
		"another entry":          func(h *edgev1.Holdings) *edgev1.Holdings { h.Entries = append(h.Entries, []byte("x")); return h },
	} {
		if _, err := r.recalled(n, bend); !errors.Is(err, epochs.ErrUntrue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !r.lives("revoked") || r.epoch().RecallUntil.IsZero() {
		t.Error("a lie was taken for an answer")
	}
}

func flip(b []byte) {
	if len(b) > 0 {
		b[0] ^= 1
	}
}

func eachBucket(h *edgev1.Holdings, change func([]byte)) {
	for _, b := range h.GetBuckets() {
		change(b.GetHashes())
	}
}

func eachNumber(h *edgev1.Holdings) {
	for _, b := range h.GetBuckets() {
		b.Number = 9_999_999
	}
}

func TestKeyThatTheNodeDoesNotShowIsDead(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) { r.apply(publish.Patch, directory.APIKeys, "kept", `{"scopes":["other"]}`) })
	r.open(n.evidence(r))
	_, err := r.recalled(n, func(h *edgev1.Holdings) *edgev1.Holdings { h.Entries = nil; return h })
	if err != nil || r.lives("kept") || !r.lives("shortened") {
		t.Errorf("kept lives: %v, the others: %v, %v", r.lives("kept"), r.lives("shortened"), err)
	}
}

func TestOnlyTheNodeThatProvedEndsTheWait(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("shop")
	r.key("revoked", "shop")
	old := r.node("node_old")
	restore := postgrestest.Dump(t, r.url)
	r.revoke("revoked")
	n := r.node("node_new")
	restore()
	r = r.another()
	r.open(n.evidence(r))
	if r.recall(old) {
		t.Error("a node that knows no more is asked")
	}
	if r.epoch().RecallUntil.IsZero() {
		t.Fatal("it ended the wait")
	}
	r.recall(n)
	if !r.epoch().RecallUntil.IsZero() || r.lives("revoked") {
		t.Error("the wait goes on, or the key lives")
	}
}

func TestNodeThatComesLaterWithMoreIsRecalledToo(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("shop")
	for _, name := range []string{"first", "second", "kept"} {
		r.key(name, "shop")
	}
	restore := postgrestest.Dump(t, r.url)
	r.revoke("first")
	early := r.node("node_early")
	r.revoke("second")
	late := r.node("node_late")
	restore()
	r = r.another()
	r.open(early.evidence(r))
	r.recall(early)
	if r.lives("first") || !r.lives("second") {
		t.Fatal("not the first alone is dead")
	}
	if err := r.epochs.Witness(t.Context(), late.evidence(r)); err != nil {
		t.Fatal(err)
	}
	if r.open(late.evidence(r)) {
		t.Error("a node of an ended epoch opens another")
	}
	if !r.recall(late) || r.lives("second") || !r.lives("kept") {
		t.Error("the later node's revocation is lost")
	}
	if now := r.epoch(); now.Number != 2 || now.Taken != 2 || now.Lost.Sequence != late.Number {
		t.Errorf("recorded as %s", text(now))
	}
	r.consistent()
}

func TestStatesAreForgottenInTheEndAndProveNothingThen(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("first")
	old := r.node("node_a").evidence(r)
	if _, err := r.db.Pool().Exec(t.Context(), "UPDATE directory_counters SET sequence = 300000 WHERE environment = $1", r.env); err != nil {
		t.Fatal(err)
	}
	r.consumer("later")
	var kept int
	if err := r.db.Pool().QueryRow(t.Context(), "SELECT count(*) FROM directory_heads WHERE environment = $1", r.env).Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d states are kept: %v", kept, err)
	}
	old.Digest = bytes.Repeat([]byte{1}, 32)
	if r.open(old) {
		t.Error("what can't be told opens an epoch")
	}
}

func TestOperatorOpensAnEpochAndSaysWhy(t *testing.T) {
	t.Parallel()
	r := start(t)
	if _, err := r.epochs.OpenByHand(t.Context(), r.env, "", author); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := r.epochs.OpenByHand(t.Context(), "env_none", "because", author); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("nowhere: %v", err)
	}
	made, err := r.epochs.OpenByHand(t.Context(), r.env, "the signing key was rotated after the dump", author)
	if err != nil || made.Number != 2 {
		t.Fatalf("%+v: %v", made, err)
	}
	if now := r.epoch(); now.OpenedBy != author.ID || now.Reason != made.Reason {
		t.Errorf("recorded as %s", text(now))
	}
	r.consumer("after") // writes go on
	head, err := r.db.Lanes(r.vault).DirectoryHead(t.Context(), r.env)
	if err != nil || head.Epoch != 2 || head.Number != 2 || head.RecallUntil.IsZero() {
		t.Errorf("the head is %+v: %v", head, err)
	}
}
