package publish_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/apikey"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// node is a directory as a node holds it.
type node struct {
	keys      map[apikey.Digest]*directoryv1.ApiKey
	consumers map[string]*directoryv1.Consumer
	secrets   map[string]string
	pepper    *apikey.Pepper
}

// node reads everything a node would be sent.
func (r *replica) node() node {
	r.t.Helper()
	n := node{keys: map[apikey.Digest]*directoryv1.ApiKey{}, consumers: map[string]*directoryv1.Consumer{}, secrets: map[string]string{}}
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil {
			return err
		}
		switch {
		case e.GetApiKey() != nil:
			n.keys[apikey.Digest(c.GetKey())] = e.GetApiKey()
		case e.GetConsumer() != nil:
			n.consumers[e.GetConsumer().GetName()] = e.GetConsumer()
		case e.GetSecret() != nil:
			n.secrets[string(e.GetSecret().GetId())] = string(e.GetSecret().GetValue())
		case e.GetPepper() != nil:
			var err error
			n.pepper, err = apikey.NewPepper(e.GetPepper().GetValue())
			return err
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// takes returns what the node knows of a key.
func (n node) takes(text string) *directoryv1.ApiKey { return n.keys[n.pepper.Digest(text)] }

func shown(r publish.Result, i int) *adminv1.ApiKey { return r.Outcomes[i].Object.(*adminv1.ApiKey) }

func TestKeyLivesOnNodesUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"app"}`),
		create("api-keys", `{"name":"first","consumer":"app","scopes":["read"],"addresses":["10.0.0.0/8"],"expires_at":"2030-01-01T00:00:00Z"}`))
	text := shown(made, 1).GetKey()
	held := r.node().takes(text)
	if held == nil {
		t.Fatal("the node doesn't know the key")
	}
	equal(t, "scopes", strings.Join(held.GetScopes(), ","), "read")
	equal(t, "expiry", held.GetExpiresAtMs(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())

	revoked := r.must(remove("api-keys", "first"))
	equal(t, "sequence", revoked.Sequence, made.Sequence+1)
	equal(t, "action", revoked.Changes[0].Action, "delete")
	if r.node().takes(text) != nil {
		t.Error("the node knows the revoked key")
	}
	if _, err := r.directory.Get(t.Context(), r.env, directory.APIKeys, "first"); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("the revoked key is still there: %v", err)
	}
	r.consistent()
}

func TestRotationLetsTheOldKeyWorkOnForTheOverlap(t *testing.T) {
	t.Parallel()
	r := start(t)
	old := shown(r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"old","consumer":"app","scopes":["read"]}`)), 1)
	before := time.Now()
	result := r.must(publish.Operation{Verb: publish.Rotate, Collection: "api-keys", Key: "old", Body: []byte(`{"overlap":"1h","name":"new"}`)})
	equal(t, "entries", len(result.Changes), 2)
	next := shown(result, 0)
	n := r.node()
	if held := n.takes(next.GetKey()); held == nil || held.GetExpiresAtMs() != 0 || len(held.GetScopes()) != 1 {
		t.Errorf("the new key on the node: %v", held)
	}
	held := n.takes(old.GetKey())
	if held == nil {
		t.Fatal("the old key is gone")
	}
	if left := time.UnixMilli(held.GetExpiresAtMs()).Sub(before); left < 59*time.Minute || left > 61*time.Minute {
		t.Errorf("the old key works on for %v", left)
	}
	read, err := r.directory.Get(t.Context(), r.env, directory.APIKeys, "old")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rotated_to", read.Message.(*adminv1.ApiKey).GetRotatedTo(), next.GetId())

	byDefault := shown(r.must(publish.Operation{Verb: publish.Rotate, Collection: "api-keys", Key: "new"}), 0)
	if byDefault.GetName() == "" || r.node().takes(byDefault.GetKey()) == nil {
		t.Errorf("rotation without a body: %v", byDefault.GetName())
	}
	r.consistent()
}

func TestConsumerUpdateReachesNodesAndItsDescriptionDoesNot(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app","labels":{"tier":"gold"}}`))
	result := r.must(patch("consumers", "app", `{"suspended":true}`))
	equal(t, "suspended", r.node().consumers["app"].GetSuspended(), true)
	same(t, "fields", result.Changes[0].Fields, []string{"/suspended"})
	described := r.must(patch("consumers", "app", `{"description":"the app"}`))
	equal(t, "sequence", described.Sequence, 0)
	equal(t, "changes", len(described.Changes), 1)
	r.must(patch("consumers", "app", `{"suspended":false}`))
	equal(t, "suspended", r.node().consumers["app"].GetSuspended(), false)
	r.consistent()
}

func TestSecretIsSealedAndItsETagChangesWithItsValue(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("secrets", `{"name":"s","value":"first value"}`))
	changed := r.must(patch("secrets", "s", `{"value":"second value"}`))
	same(t, "fields", changed.Changes[0].Fields, []string{"/value"})
	if made.Outcomes[0].ETag == changed.Outcomes[0].ETag {
		t.Error("the ETag stayed")
	}
	kept := r.must(put("secrets", "s", `{"description":"kept"}`))
	equal(t, "sequence", kept.Sequence, 0)
	for _, value := range r.node().secrets {
		equal(t, "value", value, "second value")
	}
	var leaks int
	err := r.db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM directory_entries WHERE position('second value'::bytea in entry) > 0`).Scan(&leaks)
	if err != nil || leaks != 0 {
		t.Errorf("%d entries hold the value in the clear, %v", leaks, err)
	}
	r.consistent()
}

func TestConsumerWithKeysIsNotDeletedUnlessTheyGoToo(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"k1","consumer":"app"}`), create("api-keys", `{"name":"k2","consumer":"app"}`))
	p := r.refused(remove("consumers", "app"))
	equal(t, "code", p.Code, problem.Referenced)
	equal(t, "referrers", len(p.Referrers), 2)
	equal(t, "referrer", p.Referrers[0].Name, "k1")
	r.must(remove("consumers", "app"), remove("api-keys", "k1"), remove("api-keys", "k2"))
	equal(t, "consumers", r.count("consumers"), 0)
	r.consistent()
}

func TestKeyKeepsItsConsumerAndWhatTheServerSets(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"app"}`), create("consumers", `{"name":"other"}`), create("api-keys", `{"name":"k","consumer":"app"}`))
	same(t, "consumer", found(r.refused(patch("api-keys", "k", `{"consumer":"other"}`))), []string{"/consumer immutable"})
	same(t, "prefix", found(r.refused(patch("api-keys", "k", `{"prefix":"x"}`))), []string{"/prefix immutable"})
	r.must(patch("api-keys", "k", `{"consumer":"app","scopes":["write"]}`))
	equal(t, "scopes", strings.Join(r.node().takes(shown(made, 2).GetKey()).GetScopes(), ","), "write")
	r.consistent()
}

func TestAnAPIKeyReadsAsItWasAnswered(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`))
	body := `{"consumer":"app","expires_at":"2999-01-01T00:00:00.123456789Z"}` // finer than Postgres keeps it
	made := r.must(put("api-keys", "web", body)).Outcomes[0]
	read, err := r.directory.Get(t.Context(), r.env, directory.APIKeys, "web")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "etag", read.ETag, made.ETag)
	again := r.must(put("api-keys", "web", body))
	equal(t, "changes of the same again", len(again.Changes), 0)
}
