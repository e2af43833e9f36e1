package publish_test

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// No resource refers to the directory yet: the row that one would write is written by hand.
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
