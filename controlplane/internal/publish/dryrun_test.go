package publish_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// dump returns every row of every table.
func (r *replica) dump() string {
	r.t.Helper()
	ctx := r.t.Context()
	rows, err := r.db.Pool().Query(ctx, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`)
	if err != nil {
		r.t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			r.t.Fatal(err)
		}
		tables = append(tables, table)
	}
	var all strings.Builder
	for _, table := range tables {
		var content string
		err := r.db.Pool().QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM %s t`, table)).Scan(&content)
		if err != nil {
			r.t.Fatal(err)
		}
		fmt.Fprintf(&all, "== %s\n%s\n", table, content)
	}
	return all.String()
}

func TestDryRunTellsTheSameAndWritesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"k","consumer":"app"}`))
	ops := []publish.Operation{
		create("services", service("b")), create("routes", route("r", "b", "/b")), patch("services", "a", `{"description":"x"}`),
		create("api-keys", `{"name":"k2","consumer":"app"}`), remove("api-keys", "k"), create("secrets", `{"name":"s","value":"v"}`),
		create("policies", keyPolicy("p", "")),
	}
	before := r.dump()
	planned, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: ops, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.dump() != before {
		t.Error("the dry run wrote")
	}
	if key := planned.Outcomes[3].Object.(*adminv1.ApiKey).GetKey(); key != "" {
		t.Error("the dry run shows a key that will never be")
	}
	made := r.must(ops...)
	equal(t, "revision", planned.Revision, made.Revision)
	equal(t, "sequence", planned.Sequence, made.Sequence)
	equal(t, "warnings", strings.Join(planned.Warnings, ";"), strings.Join(made.Warnings, ";"))
	equal(t, "changes", len(planned.Changes), len(made.Changes))
	for i := range planned.Changes {
		equal(t, "change", planned.Changes[i].Action+planned.Changes[i].Name, made.Changes[i].Action+made.Changes[i].Name)
	}
	before = r.dump()
	if _, err := r.rollback(1, true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{remove("services", "b")}, DryRun: true}); problem.CodeOf(err) != problem.Referenced {
		t.Errorf("a dry run of what can't be: %v", err)
	}
	if r.dump() != before {
		t.Error("the dry run wrote")
	}
	r.consistent()
}

func TestOfEditorsWithOneETagExactlyOneWins(t *testing.T) {
	t.Parallel()
	first := start(t)
	second := first.another()
	for _, c := range []struct{ collection, body string }{{"services", service("a")}, {"consumers", `{"name":"a"}`}, {"secrets", `{"name":"a","value":"v"}`}} {
		etag := first.must(create(c.collection, c.body)).Outcomes[0].ETag
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			r := first
			if i%2 == 1 {
				r = second
			}
			wg.Go(func() {
				op := patch(c.collection, "a", fmt.Sprintf(`{"description":"editor %d"}`, i))
				op.IfMatch = etag
				_, errs[i] = r.publisher.Apply(context.Background(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{op}})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if problem.CodeOf(err) != problem.PreconditionFailed {
				t.Errorf("%s: %v", c.collection, err)
			}
		}
		equal(t, c.collection+": winners", won, 1)
	}
	op := remove("services", "a")
	op.IfMatch = "*"
	first.must(op)
	op.Key = "nobody"
	equal(t, "* and nothing there", first.refused(op).Code, problem.NotFound)
	first.consistent()
}

func TestRacingForANameGivesOneObjectAndNameTaken(t *testing.T) {
	t.Parallel()
	first := start(t)
	second := first.another()
	for _, c := range []struct{ collection, body string }{{"services", service("a")}, {"consumers", `{"name":"a"}`}, {"secrets", `{"name":"a","value":"v"}`}} {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			r := first
			if i%2 == 1 {
				r = second
			}
			wg.Go(func() {
				_, errs[i] = r.publisher.Apply(context.Background(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{create(c.collection, c.body)}})
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if problem.CodeOf(err) != problem.NameTaken {
				t.Errorf("%s: %v", c.collection, err)
			}
		}
		equal(t, c.collection+": made", made, 1)
	}
	first.consistent()
}
