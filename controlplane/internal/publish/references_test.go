package publish_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// No resource refers to secrets yet: the row that one would write is written by hand.
func TestSecretThatConfigurationRefersToIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("services", service("a")), create("secrets", `{"name":"s","value":"v"}`))
	_, err := r.db.Pool().Exec(t.Context(), `INSERT INTO object_references VALUES ($1, 'services', $2, '/upstream/token', 'secrets', $3)`,
		r.env, made.Outcomes[0].ID, made.Outcomes[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	p := r.refused(remove("secrets", "s"))
	equal(t, "code", p.Code, problem.Referenced)
	if len(p.Referrers) != 1 || p.Referrers[0] != (problem.Reference{Type: "service", ID: made.Outcomes[0].ID, Name: "a", Pointer: "/upstream/token"}) {
		t.Errorf("referrers: %+v", p.Referrers)
	}
	r.must(remove("services", "a"))
	r.must(remove("secrets", "s"))
	r.consistent()
}

func TestDeleteListsEveryReferrer(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r1", "a", "/1")), create("routes", route("r2", "a", "/2")), create("policies", keyPolicy("p", `{"service":"a"},{"route":"r1"}`)))
	var names []string
	p := r.refused(remove("services", "a"))
	for _, referrer := range p.Referrers {
		names = append(names, referrer.Type+" "+referrer.Name+" "+referrer.Pointer)
	}
	slices.Sort(names)
	same(t, "referrers", names, []string{"policy p /attached_to/0/service", "route r1 /service", "route r2 /service"})
	r.must(remove("policies", "p"), remove("services", "a"), remove("routes", "r1"), remove("routes", "r2"))
	equal(t, "objects left", r.count("objects"), 0)
	r.consistent()
}

func TestAConsumerThatAPolicyIsAttachedToOrNamesIsNotDeleted(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"alice"}`), create("consumers", `{"name":"bob"}`), put("policies", "p",
		`{"kind":"acl","config":{"allow":[{"every_consumer":true}],"deny":[{"methods":["PUT"],"consumers":["bob"]}]},"attached_to":[{"environment":true},{"consumer":"alice"}]}`))
	var policy string
	for consumer, pointer := range map[string]string{"alice": "/attached_to/1/consumer", "bob": "/config/deny/0/consumers/0"} {
		p := r.refused(remove("consumers", consumer))
		equal(t, "code", p.Code, problem.Referenced)
		if len(p.Referrers) != 1 || p.Referrers[0].Pointer != pointer || p.Referrers[0].Name != "p" {
			t.Fatalf("referrers of %s: %+v", consumer, p.Referrers)
		}
		policy = p.Referrers[0].ID
	}
	equal(t, "referrer", policy, made.Outcomes[2].ID)
	// It is referred to by its id: a new name changes nothing, and one who takes the old name is somebody else.
	r.must(patch("consumers", "alice", `{"name":"ada"}`), create("consumers", `{"name":"alice"}`))
	r.must(remove("consumers", "alice"))
	equal(t, "code", r.refused(remove("consumers", "ada")).Code, problem.Referenced)
	// What takes both away at once leaves nothing that dangles.
	r.must(remove("consumers", "ada"), remove("policies", "p"))
	r.must(remove("consumers", "bob"))
	equal(t, "objects left", r.count("objects"), 0)
	r.consistent()
}

func TestAPolicyCanOnlyBeAttachedToAConsumerThatIsThere(t *testing.T) {
	t.Parallel()
	r := start(t)
	same(t, "nobody", found(r.refused(create("policies", `{"name":"p","kind":"acl","config":{},"attached_to":[{"consumer":"nobody"}]}`))),
		[]string{"/attached_to/0/consumer unknown_reference"})
	r.must(create("consumers", `{"name":"alice"}`))
	same(t, "one that goes", found(r.refused(create("policies", `{"name":"p","kind":"acl","config":{},"attached_to":[{"consumer":"alice"}]}`), remove("consumers", "alice"))),
		[]string{"/operations/0/body/attached_to/0/consumer unknown_reference"})
	r.must(create("policies", `{"name":"p","kind":"acl","config":{},"attached_to":[{"consumer":"bob"}]}`), create("consumers", `{"name":"bob"}`))
	r.consistent()
}

func TestNoPolicyThatRunsBeforeTheCallerIsKnownIsAttachedToAConsumer(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"alice"}`))
	p := r.refused(create("policies", `{"name":"p","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":1,"window":"1s"}]},"attached_to":[{"consumer":"alice"}]}`))
	same(t, "guard", found(p), []string{"/attached_to/0/consumer invalid_value"})
	if !strings.Contains(p.Errors[0].Detail, "the phase guard") || !strings.Contains(p.Errors[0].Detail, "the phase limit") {
		t.Errorf("it says neither where the policy runs nor what would do: %s", p.Errors[0].Detail)
	}
	same(t, "authenticate", found(r.refused(create("policies", keyPolicy("p", `{"consumer":"alice"}`)))), []string{"/attached_to/0/consumer invalid_value"})
	r.must(create("policies", `{"name":"p","kind":"rate-limit","config":{"by":[{"consumer":true}],"windows":[{"requests":1,"window":"1s"}]},"attached_to":[{"consumer":"alice"}]}`))
	// A later change can't smuggle it in either.
	same(t, "patched", found(r.refused(patch("policies", "p", `{"config":{"by":[{"address":true}]}}`))), []string{"/attached_to/0/consumer invalid_value"})
}

// What is attached to a consumer authenticates nobody: a route stays as bare as it was.
func TestAConsumersPolicyProtectsNoRoute(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"alice"}`), create("services", service("a")),
		create("policies", `{"name":"p","kind":"acl","config":{},"attached_to":[{"consumer":"alice"}]}`))
	same(t, "bare route", found(r.refused(create("routes", protectedRoute("r", "a", "/a")))), []string{"/public unprotected"})
}

func TestARollbackToAPolicyOfAConsumerThatIsGoneSaysSo(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"alice"}`))
	with := r.must(create("policies", `{"name":"p","kind":"acl","config":{},"attached_to":[{"consumer":"alice"}]}`)).Revision
	r.must(remove("policies", "p"))
	if _, err := r.rollback(with, false); err != nil {
		t.Fatal(err)
	}
	r.must(remove("policies", "p"), remove("consumers", "alice"))
	_, err := r.rollback(with, false)
	same(t, "rollback", found(asProblem(t, err)), []string{"/policies/p/attached_to/0/consumer unknown_reference"})
	r.consistent()
}
