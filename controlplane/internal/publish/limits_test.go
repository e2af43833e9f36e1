package publish_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// pretend makes the database count this many consumers.
func (r *replica) pretend(consumers uint64) {
	r.t.Helper()
	_, err := r.db.Pool().Exec(r.t.Context(), `UPDATE directory_counts SET objects = $1 WHERE collection = 'consumers'`, int64(consumers))
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) counted(name string) uint64 {
	r.t.Helper()
	counts, err := r.db.Counts(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	return counts[r.env][name]
}

func TestADirectoryCantGrowBeyondItsLimit(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"first"}`), create("consumers", `{"name":"second"}`))
	most, _ := limits.Most("consumers")

	r.pretend(most/2 - 1)
	if said := strings.Join(r.must(create("consumers", `{"name":"half"}`)).Warnings, "\n"); !strings.Contains(said, fmt.Sprint(most/2)) {
		t.Errorf("reaching the half is warned of by %q", said)
	}
	if said := r.must(create("consumers", `{"name":"past"}`)).Warnings; len(said) != 0 {
		t.Errorf("beyond the half it is said again: %q", said)
	}

	r.pretend(most)
	before := r.dump()
	full := r.refused(create("services", service("beside")), create("consumers", `{"name":"too-much"}`))
	if full.Code != problem.LimitReached || len(full.Errors) != 1 || full.Errors[0].Pointer != "/operations/1/body" {
		t.Errorf("%+v", full)
	}
	_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, DryRun: true, Operations: []publish.Operation{create("consumers", `{"name":"too-much"}`)}})
	if problem.CodeOf(err) != problem.LimitReached {
		t.Errorf("a dry run: %v", err)
	}
	if r.dump() != before {
		t.Error("what was refused left something behind")
	}
	r.must(remove("consumers", "first"), create("consumers", `{"name":"in-its-place"}`))
	r.must(patch("consumers", "second", `{"description":"x"}`))
	if got := r.counted("consumers"); got != most {
		t.Errorf("%d are counted, want %d", got, most)
	}
}

func TestWhatIsCountedIsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"a"}`), create("consumers", `{"name":"b"}`), create("api-keys", `{"name":"k","consumer":"a"}`),
		create("secrets", `{"name":"s","value":"v"}`), create("services", service("one")))
	r.must(remove("consumers", "b"), patch("api-keys", "k", `{"description":"x"}`), create("consumers", `{"name":"c"}`), remove("secrets", "s"))
	for name, want := range map[string]uint64{"consumers": 2, "api-keys": 1, "secrets": 0, "services": 1, "routes": 0} {
		if got := r.counted(name); got != want {
			t.Errorf("%d %s are counted, want %d", got, name, want)
		}
	}
	if r.counted(limits.ConfigurationBytes) == 0 {
		t.Error("the configuration takes no bytes")
	}
}

func TestRemovingALargeShareOfTheRoutesNeedsForce(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := []publish.Operation{create("services", service("s")), create("policies", keyPolicy("p", ""))}
	var gone []publish.Operation
	for n := range 20 {
		name := fmt.Sprintf("r%d", n)
		made = append(made, create("routes", route(name, "s", "/"+name)))
		gone = append(gone, remove("routes", name))
	}
	r.must(made...)

	if refused := r.refused(gone[:11]...); refused.Code != problem.ForceNeeded || !strings.Contains(refused.Error(), "11 of the environment's 20 routes") {
		t.Errorf("%+v", refused)
	}
	batch := publish.Batch{Environment: r.env, Author: author}
	if _, err := r.publisher.Rollback(t.Context(), batch); problem.CodeOf(err) != problem.ForceNeeded {
		t.Errorf("a rollback: %v", err)
	}
	r.must(gone[0]) // few are nobody's accident
	r.must(put("settings", "settings", `{"removal_percent":100}`))
	r.must(gone[1:12]...)
	r.must(put("settings", "settings", `{"removal_percent":0}`))
	r.must(made[3:13]...)
	batch.Operations, batch.Force = append(slices.Clone(gone[1:11]), gone[12]), true
	forced, err := r.publisher.Apply(t.Context(), batch)
	if err != nil || !strings.Contains(strings.Join(forced.Warnings, "\n"), "removes 11") {
		t.Errorf("forced: %v, warnings %q", err, forced.Warnings)
	}
}
