package publish_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	signing = `{"name":"who","kind":"identity-token","config":{"token":{"issuer":"https://gateway.test"}},"attached_to":[{"environment":true}]}`
	telling = `{"name":"plain","kind":"identity-token","config":{"headers":{"fields":[{"name":"X-User","fact":"subject"}]}},"attached_to":[{"environment":true}]}`
)

// identity returns what a node has of identity keys; nil: nothing.
func (r *replica) identity() []*directoryv1.IdentityKey {
	r.t.Helper()
	var found []*directoryv1.IdentityKey
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil {
			return err
		}
		if e.GetIdentityKeys() != nil {
			found = e.GetIdentityKeys().GetKeys()
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func identityVersions(keys []*directoryv1.IdentityKey) (all []uint32) {
	for _, k := range keys {
		all = append(all, k.GetVersion())
	}
	return all
}

// shown returns what services see, and holds it against what nodes have.
func (r *replica) shown() []byte {
	r.t.Helper()
	set, known, err := r.db.IdentitySet(r.t.Context(), r.env)
	if err != nil || !known {
		r.t.Fatalf("nothing is shown: %v", err)
	}
	var keys []*identitykey.Key
	for _, m := range r.identity() {
		k, err := identitykey.Parse(m)
		if err != nil {
			r.t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if !bytes.Equal(set, identitykey.Set(keys)) {
		r.t.Errorf("services see %s, nodes have %v", set, identityVersions(r.identity()))
	}
	return set
}

func (r *replica) rotateIdentity(how directory.Succession) directory.Identity {
	r.t.Helper()
	made, err := r.publisher.RotateIdentityKeys(r.t.Context(), r.env, how)
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

func TestIdentityKeysBeginWithTheFirstPolicyThatSigns(t *testing.T) {
	t.Parallel()
	r := start(t)
	if _, err := r.publisher.RotateIdentityKeys(t.Context(), r.env, directory.Succession{}); asProblem(t, err).Code != problem.NotFound {
		t.Errorf("without a policy: %v", err)
	}
	r.must(create("policies", telling))
	equal(t, "keys of a policy that signs nothing", len(r.identity()), 0)
	before := time.Now()
	r.must(create("policies", signing))
	first := r.identity()
	if !slices.Equal(identityVersions(first), []uint32{1}) || first[0].GetSignsFromMs() > time.Now().UnixMilli() || first[0].GetSignsFromMs() < before.Add(-time.Second).UnixMilli() {
		t.Fatalf("began with %v, signing from %d", identityVersions(first), first[0].GetSignsFromMs())
	}
	r.must(patch("policies", "who", `{"description":"changed"}`))
	if got := r.identity(); !proto.Equal(got[0], first[0]) {
		t.Error("another policy made another key")
	}
	r.shown()
	r.consistent()
}

// No token that was good is refused for a rotation: what signs is known before, and what signed stays known.
func TestANewIdentityKeyIsPublishedBeforeItSignsAndTheOldOneAfter(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	r.shown()
	old := r.identity()[0]
	made := r.rotateIdentity(directory.Succession{After: identitykey.Lead})
	equal(t, "version", made.Version, uint32(2))
	keys := r.identity()
	if !slices.Equal(identityVersions(keys), []uint32{2, 1}) || !proto.Equal(keys[1], old) {
		t.Fatalf("there are %v", identityVersions(keys))
	}
	lead := time.Duration(keys[0].GetSignsFromMs()-keys[0].GetCreatedAtMs()) * time.Millisecond
	equal(t, "published before it signs", lead, identitykey.Lead)
	equal(t, "needed until", made.TrimAt.UnixMilli(), time.UnixMilli(keys[0].GetSignsFromMs()).Add(identitykey.Overlap).UnixMilli())
	if n := bytes.Count(r.shown(), []byte(`"kid"`)); n != 4 {
		t.Errorf("%d keys are shown", n)
	}
	if err := r.publisher.SettleAllIdentityKeys(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	equal(t, "keys while the old one is needed", len(r.identity()), 2)
	r.consistent()
}

func TestIdentityKeysAreRenewedAndTakenBackByOneReplicaOfMany(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	if _, err := r.db.Pool().Exec(t.Context(), `UPDATE identity_keys SET rotated_at = rotated_at - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	settle := func(replicas int) {
		t.Helper()
		var all sync.WaitGroup
		for range replicas {
			replica := r.another()
			all.Go(func() {
				if err := replica.publisher.SettleAllIdentityKeys(t.Context(), time.Hour); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	settle(4)
	if got := identityVersions(r.identity()); !slices.Equal(got, []uint32{2, 1}) {
		t.Fatalf("there are %v", got)
	}
	// A key whose successor began to sign long ago: as if the clock had gone on.
	r.rewriteIdentity(func(keys []*directoryv1.IdentityKey) { keys[0].SignsFromMs -= (2 * identitykey.Overlap).Milliseconds() })
	settle(4)
	if got := identityVersions(r.identity()); !slices.Equal(got, []uint32{2}) {
		t.Errorf("there are %v", got)
	}
	r.shown()
	r.consistent()
}

// rewriteIdentity changes what lies in the database, as time would have.
func (r *replica) rewriteIdentity(edit func([]*directoryv1.IdentityKey)) {
	r.t.Helper()
	keys := r.identity()
	edit(keys)
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(&directoryv1.Entry{Body: &directoryv1.Entry_IdentityKeys{IdentityKeys: &directoryv1.IdentityKeys{Keys: keys}}})
	if err != nil {
		r.t.Fatal(err)
	}
	sealed, err := r.vault.Seal(directory.SealedFor(r.env, directory.IdentityKeysKey()), plain)
	if err != nil {
		r.t.Fatal(err)
	}
	key := directory.IdentityKeysKey()
	if _, err := r.db.Pool().Exec(r.t.Context(), `UPDATE directory_entries SET entry = $1 WHERE environment = $2 AND key = $3`, sealed, r.env, key[:]); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.db.Pool().Exec(r.t.Context(), `UPDATE identity_keys SET trim_at = now() - interval '1 second' WHERE environment = $1`, r.env); err != nil {
		r.t.Fatal(err)
	}
}

func TestOfALeakedIdentityKeyNothingIsKept(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	r.rotateIdentity(directory.Succession{After: identitykey.Lead})
	made := r.rotateIdentity(directory.Succession{After: identitykey.Lead, Leaked: true})
	keys := r.identity()
	if !slices.Equal(identityVersions(keys), []uint32{3}) || keys[0].GetSignsFromMs() != keys[0].GetCreatedAtMs() || !made.TrimAt.IsZero() {
		t.Errorf("there are %v, the newest signs from %d", identityVersions(keys), keys[0].GetSignsFromMs())
	}
	r.shown()
	r.consistent()
}

func TestNoMoreIdentityKeysArePublishedThanNodesTake(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	for range identitykey.Most - 1 {
		r.rotateIdentity(directory.Succession{})
	}
	if _, err := r.publisher.RotateIdentityKeys(t.Context(), r.env, directory.Succession{}); asProblem(t, err).Code != problem.Conflict {
		t.Errorf("one more: %v", err)
	}
	r.rotateIdentity(directory.Succession{Leaked: true})
	equal(t, "keys", len(r.identity()), 1)
}

// A dump holds keys that were retired since: of which of them that is true nobody knows.
func TestOfAnEpochThatHasEndedNoIdentityKeyIsKept(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	r.rotateIdentity(directory.Succession{})
	before := r.identity()
	if _, err := r.db.Pool().Exec(t.Context(), `UPDATE environments SET epoch = epoch + 1`); err != nil {
		t.Fatal(err)
	}
	if err := r.another().publisher.SettleAllIdentityKeys(t.Context(), publish.IdentityLife); err != nil {
		t.Fatal(err)
	}
	after := r.identity()
	if !slices.Equal(identityVersions(after), []uint32{3}) || after[0].GetSignsFromMs() != after[0].GetCreatedAtMs() {
		t.Fatalf("there are %v", identityVersions(after))
	}
	for _, k := range before {
		if bytes.Equal(k.GetP256(), after[0].GetP256()) || bytes.Equal(k.GetEd25519(), after[0].GetEd25519()) {
			t.Error("a key of the epoch before is there again")
		}
	}
}

func TestARollbackBringsNoIdentityKeyBack(t *testing.T) {
	t.Parallel()
	r := start(t)
	first := r.must(create("policies", signing))
	r.must(patch("policies", "who", `{"description":"later"}`))
	r.rotateIdentity(directory.Succession{Leaked: true})
	if _, err := r.publisher.Rollback(t.Context(), publish.Batch{Environment: r.env, Author: author, Message: "back", RollbackTo: first.Revision}); err != nil {
		t.Fatal(err)
	}
	if got := identityVersions(r.identity()); !slices.Equal(got, []uint32{2}) {
		t.Errorf("there are %v", got)
	}
}

func TestIdentityKeysAreInNoRevisionNoEventAndNotReadableInTheDatabase(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	r.rotateIdentity(directory.Succession{})
	for _, k := range r.identity() {
		for _, private := range [][]byte{k.GetP256(), k.GetEd25519()} {
			for _, where := range []string{
				`SELECT count(*) FROM directory_entries WHERE position($1::bytea IN entry) > 0`,
				`SELECT count(*) FROM identity_keys WHERE position($1::bytea IN public_set) > 0`,
				`SELECT count(*) FROM audit_events WHERE position($1::bytea IN record) > 0`,
				`SELECT count(*) FROM objects WHERE position($1::bytea IN stored) > 0`,
			} {
				var n int
				if err := r.db.Pool().QueryRow(t.Context(), where, private).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s: %d %v", where, n, err)
				}
			}
		}
	}
	if set := r.shown(); bytes.Contains(set, []byte(`"d"`)) {
		t.Errorf("a private key is shown: %s", set)
	}
	var operations []string
	rows, err := r.db.Pool().Query(t.Context(), `SELECT operation FROM audit_events ORDER BY number`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var operation string
		if err := rows.Scan(&operation); err != nil {
			t.Fatal(err)
		}
		operations = append(operations, operation)
	}
	if n := strings.Count(strings.Join(operations, " "), "rotateIdentityKeys"); n != 1 {
		t.Errorf("%d events of the rotation in %v", n, operations)
	}
}

func TestIdentityKeysOfALostRootKeyAreReplaced(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", signing))
	before := r.identity()
	if err := r.publisher.ForgetSealed(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	after := r.identity()
	if !slices.Equal(identityVersions(after), []uint32{2}) || bytes.Equal(after[0].GetP256(), before[0].GetP256()) {
		t.Errorf("there are %v", identityVersions(after))
	}
	r.shown()
	r.rotateIdentity(directory.Succession{})
}
