package publish_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestEachWayToLetSomebodyInNoMoreIsRecorded(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("consumers", `{"name":"idle"}`))
	for _, key := range []string{"deleted", "rotated", "rotated-later", "cut", "ended", "kept"} {
		r.must(create("api-keys", `{"name":"`+key+`","consumer":"app"}`))
	}
	equal(t, "denials of what was only made", r.count("denials"), 0)
	later := time.Now().Add(24 * time.Hour)
	for _, step := range []struct {
		op      publish.Operation
		of, key string
		cause   publish.Cause
		later   bool // it takes effect at some time to come
	}{
		{remove("api-keys", "deleted"), "api-keys", "deleted", publish.CauseDeleted, false},
		{rotate("rotated", `{"overlap":"0s"}`), "api-keys", "rotated", publish.CauseRotated, false},
		{rotate("rotated-later", `{"overlap":"48h"}`), "api-keys", "rotated-later", publish.CauseRotated, true},
		{patch("api-keys", "cut", `{"expires_at":"2998-01-01T00:00:00Z"}`), "api-keys", "cut", publish.CauseExpiry, true},
		{patch("api-keys", "ended", `{"expires_at":"2020-01-01T00:00:00Z"}`), "api-keys", "ended", publish.CauseExpiry, false},
		{patch("consumers", "app", `{"suspended":true}`), "consumers", "app", publish.CauseSuspended, false},
		{remove("consumers", "idle"), "consumers", "idle", publish.CauseDeleted, false},
		{create("blocks", `{"name":"b","address_range":"10.0.0.0/8","expires_at":"2998-01-01T00:00:00Z"}`), "blocks", "b", publish.CauseBlocked, false},
	} {
		began := time.Now()
		result := r.must(step.op)
		d, err := r.db.Denial(t.Context(), r.env, step.of, step.key)
		if err != nil || d.Cause != step.cause || d.Author != author.Name || d.LiftedBy != 0 || d.Commit.Sequence != result.Sequence {
			t.Errorf("%s: %+v, %v", step.key, d, err)
			continue
		}
		if d.TakesEffectAt.After(later) != step.later || !step.later && d.TakesEffectAt.Before(began.Add(-time.Minute)) {
			t.Errorf("%s takes effect at %s", step.key, d.TakesEffectAt)
		}
		if byID, err := r.db.Denial(t.Context(), r.env, step.of, d.ID); err != nil || byID != d {
			t.Errorf("%s by its id: %+v, %v", step.key, byID, err)
		}
	}
	if _, err := r.db.Denial(t.Context(), r.env, "api-keys", "kept"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a key that nobody touched: %v", err)
	}
	r.consistent()
}

func TestWhatDeniesNobodyIsNotRecorded(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app","suspended":true}`), create("api-keys", `{"name":"web","consumer":"app","expires_at":"2990-01-01T00:00:00Z"}`),
		create("api-keys", `{"name":"dead","consumer":"app","expires_at":"2020-01-01T00:00:00Z"}`))
	r.must(patch("api-keys", "web", `{"expires_at":"2991-01-01T00:00:00Z","scopes":["a"]}`))
	r.must(patch("api-keys", "web", `{"name":"renamed","description":"x"}`))
	r.must(patch("api-keys", "dead", `{"expires_at":"2019-01-01T00:00:00Z"}`))
	r.must(patch("consumers", "app", `{"metadata":{"a":"b"}}`))
	r.must(create("secrets", `{"name":"s","value":"v"}`), remove("secrets", "s"))
	r.must(remove("secrets", r.must(create("secrets", `{"name":"t","value":"v"}`)).Outcomes[0].ID))
	equal(t, "denials", r.count("denials"), 0)
	equal(t, "commits", r.count("denial_commits"), 0)
}

func TestADenialSaysWhatTookItBack(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"web","consumer":"app"}`))
	r.must(patch("consumers", "app", `{"suspended":true}`), patch("api-keys", "web", `{"expires_at":"2020-01-01T00:00:00Z"}`),
		create("blocks", `{"name":"b","consumer":"app","expires_at":"2990-01-01T00:00:00Z"}`))
	for of, undo := range map[string]publish.Operation{
		"consumers": patch("consumers", "app", `{"suspended":false}`),
		"api-keys":  patch("api-keys", "web", `{"expires_at":null}`),
		"blocks":    remove("blocks", "b"),
	} {
		name := map[string]string{"consumers": "app", "api-keys": "web", "blocks": "b"}[of]
		result := r.must(undo)
		if d, err := r.db.Denial(t.Context(), r.env, of, name); err != nil || d.LiftedBy != result.Sequence {
			t.Errorf("%s: lifted by %d at %d, %v", of, d.LiftedBy, result.Sequence, err)
		}
	}
	result := r.must(patch("consumers", "app", `{"suspended":true}`))
	if d, err := r.db.Denial(t.Context(), r.env, "consumers", "app"); err != nil || d.LiftedBy != 0 || d.Sequence != result.Sequence {
		t.Errorf("suspended again: %+v, %v", d, err)
	}
}

// However many a batch denies, nodes say once that they hold it.
func TestABatchOfDenialsIsOneCommit(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"one","consumer":"app"}`), create("api-keys", `{"name":"two","consumer":"app"}`))
	result := r.must(remove("api-keys", "one"), create("consumers", `{"name":"next"}`), remove("api-keys", "two"), create("consumers", `{"name":"last"}`))
	equal(t, "commits", r.count("denial_commits"), 1)
	for _, name := range []string{"one", "two"} {
		d, err := r.db.Denial(t.Context(), r.env, "api-keys", name)
		if err != nil || d.Commit.Sequence != result.Sequence || d.Sequence >= result.Sequence {
			t.Errorf("%s: %+v at %d, %v", name, d, result.Sequence, err)
			continue
		}
		if c, err := r.db.DenialCommit(t.Context(), r.env, d.Sequence); err != nil || c != d.Commit {
			t.Errorf("%s: the commit of its sequence is %+v, %v", name, c, err)
		}
	}
	if c, err := r.db.DenialCommit(t.Context(), r.env, 1); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a commit that denied nobody: %+v, %v", c, err)
	}
}

func TestARefusedBatchRecordsNoDenial(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"web","consumer":"app"}`))
	refused := r.refused(remove("api-keys", "web"), create("consumers", `{"name":"app"}`))
	equal(t, "code", refused.Code, problem.NameTaken)
	equal(t, "denials", r.count("denials"), 0)
}
