package publish_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/problem"
)

// inlineKey is the JWK of a public key that a letter stands for: points of the curve of RFC 8037 and of test keys.
func inlineKey(kid string) string {
	x := map[string]string{
		"a": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "b": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", "c": "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
	}[kid]
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, kid, x)
}

func inlineSet(kids ...string) string {
	keys := make([]string, len(kids))
	for i, kid := range kids {
		keys[i] = inlineKey(kid)
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

func inlineIssuer(kids ...string) string {
	return fmt.Sprintf(`{"name":"login","issuer":"https://login.test","audiences":["api"],"consumer":{"name_claim":"client_id"},"jwks":%q}`, inlineSet(kids...))
}

// trusted is what nodes have of the one issuer's keys: the names of good ones, and how many are retired; "-": no entry.
func (r *replica) trusted() string {
	r.t.Helper()
	found := "-"
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil || e.GetKeySet() == nil {
			return err
		}
		var names []string
		for _, text := range e.GetKeySet().GetKeys() {
			k, err := jwk.Parse(text)
			if err != nil {
				return err
			}
			names = append(names, k.ID)
		}
		slices.Sort(names)
		found = fmt.Sprintf("%s/%d", strings.Join(names, ""), len(e.GetKeySet().GetRetired()))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

func TestNoRollbackBringsAKeyBackThatTheConfigurationGave(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("issuers", inlineIssuer("a")))
	equal(t, "with the revision", r.trusted(), "a/0")
	at, err := r.db.Position(t.Context(), r.env)
	if err != nil {
		t.Fatal(err)
	}
	if made.Sequence == 0 || at.SequenceNeeded != made.Sequence {
		t.Errorf("the revision waits for %d, and the keys come with %d", at.SequenceNeeded, made.Sequence)
	}
	r.must(put("issuers", "login", inlineIssuer("a", "b")))
	equal(t, "one added", r.trusted(), "ab/0")
	r.must(put("issuers", "login", inlineIssuer("b")))
	equal(t, "one taken away", r.trusted(), "b/1")

	plan, err := r.rollback(1, true)
	if err != nil || !strings.Contains(strings.Join(plan.Warnings, " "), `(kid "a")`) || plan.Sequence == 0 {
		t.Errorf("the plan of a rollback: %q, sequence %d, %v", plan.Warnings, plan.Sequence, err)
	}
	equal(t, "a plan", r.trusted(), "b/1")
	done, err := r.rollback(1, false)
	if err != nil || !strings.Contains(strings.Join(done.Warnings, " "), "stay dead") {
		t.Errorf("a rollback: %q, %v", done.Warnings, err)
	}
	equal(t, "rolled back to a alone", r.trusted(), "/2")
	r.must(patch("issuers", "login", `{"description":"changed"}`))
	equal(t, "a write that doesn't touch the keys", r.trusted(), "/2")
	if _, err := r.rollback(3, false); err != nil {
		t.Fatal(err)
	}
	equal(t, "rolled back to b", r.trusted(), "/2")

	r.must(put("issuers", "login", inlineIssuer("a", "b")))
	equal(t, "a key that a person adds again", r.trusted(), "a/1")
	changes, err := r.publisher.TrustInlineKeys(t.Context(), r.env, made.Outcomes[0].ID)
	if err != nil || len(changes) != 1 || changes[0].Action != directory.KeyReturned {
		t.Errorf("%+v, %v", changes, err)
	}
	equal(t, "all that are given", r.trusted(), "ab/0")
	r.consistent()
}

func TestNoRollbackBringsADeletedIssuersKeysBack(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("issuers", inlineIssuer("a", "b")))
	r.must(put("issuers", "login", inlineIssuer("b")))
	r.must(remove("issuers", "login"))
	equal(t, "deleted", r.trusted(), "-")
	done, err := r.rollback(1, false)
	if err != nil || len(done.Warnings) == 0 {
		t.Fatalf("%q, %v", done.Warnings, err)
	}
	equal(t, "rolled back", r.trusted(), "/1")
	r.must(remove("issuers", "login"))
	r.must(create("issuers", inlineIssuer("a", "b")))
	equal(t, "made anew by a person", r.trusted(), "ab/0")
	r.consistent()
}

func TestWhatBecomesOfKeysIsInTheRecord(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("issuers", inlineIssuer("a")))
	r.must(put("issuers", "login", inlineIssuer("b")))
	if n, err := r.publisher.RetireKeys(t.Context(), r.env, r.only("issuers"), []string{"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}); err != nil || n != 1 {
		t.Errorf("retired %d, %v", n, err)
	}
	var records []byte
	if err := r.db.Pool().QueryRow(t.Context(), `SELECT string_agg(record, ''::bytea ORDER BY number) FROM audit_events WHERE environment = $1`, r.env).Scan(&records); err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]int{directory.KeyAdded: 2, directory.KeyRetired: 2, "issuer-keys": 4} {
		if n := bytes.Count(records, []byte(action)); n != want {
			t.Errorf("%d × %s in the record, want %d", n, action, want)
		}
	}
}

// only returns the id of the one object of a collection.
func (r *replica) only(collection string) string {
	r.t.Helper()
	head, err := r.catalog.Head(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	objects := head.Objects(collection)
	if len(objects) != 1 {
		r.t.Fatalf("%d %s", len(objects), collection)
	}
	return objects[0].ID
}

func TestKeysThatANodeKnowsToBeDeadAreRetired(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("issuers", inlineIssuer("a", "b")))
	keys, _, err := jwk.ParseSet([]byte(inlineSet("a")))
	if err != nil {
		t.Fatal(err)
	}
	thumbprints := []string{directory.Thumbprint(keys[0].Thumbprint[:]), directory.Thumbprint(make([]byte, 32))}
	for _, want := range []int{2, 0} { // the second time nothing is news
		if n, err := r.publisher.RetireKeys(t.Context(), r.env, r.only("issuers"), thumbprints); err != nil || n != want {
			t.Errorf("retired %d, %v", n, err)
		}
	}
	equal(t, "of a and another", r.trusted(), "b/2")
	if n, err := r.publisher.RetireKeys(t.Context(), r.env, "iss_01k00000000000000000000009", thumbprints); err != nil || n != 0 {
		t.Errorf("of an issuer that isn't there: %d, %v", n, err)
	}
	id := r.only("issuers")
	r.must(remove("issuers", "login"))
	if _, err := r.publisher.RetireKeys(t.Context(), r.env, id, []string{directory.Thumbprint([]byte("another that was retired since..")[:32])}); err != nil {
		t.Error(err)
	}
	equal(t, "of a deleted issuer", r.trusted(), "-")
	if _, err := r.publisher.TrustInlineKeys(t.Context(), r.env, id); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("got %v", err)
	}
	r.consistent()
}
