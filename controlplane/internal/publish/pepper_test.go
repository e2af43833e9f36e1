package publish_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/apikey"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// peppers returns what a node has of them, by version.
func (r *replica) peppers() map[uint32]*apikey.Pepper {
	r.t.Helper()
	all := make(map[uint32]*apikey.Pepper)
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil || e.GetPepper() == nil {
			return err
		}
		var err error
		all[e.GetPepper().GetVersion()], err = apikey.NewPepper(e.GetPepper().GetValue())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// takenUnder returns the versions of the peppers under which a node finds a key.
func (r *replica) takenUnder(text string) (versions []uint32) {
	r.t.Helper()
	keys := r.node().keys
	for version, pepper := range r.peppers() {
		if keys[pepper.Digest(text)] != nil {
			versions = append(versions, version)
		}
	}
	return versions
}

func (r *replica) key(name string) string {
	r.t.Helper()
	return shown(r.must(create("api-keys", fmt.Sprintf(`{"name":%q,"consumer":"app"}`, name))), 0).GetKey()
}

func (r *replica) mustRotatePepper() publish.PepperRotation {
	r.t.Helper()
	made, err := r.publisher.RotatePepper(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	return made
}

func TestNewKeysAreMadeWithTheNewestPepperAndOldOnesWorkOn(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`))
	first := r.key("first")
	made := r.mustRotatePepper()
	second := r.another().key("second") // whichever replica makes it
	equal(t, "version", made.Version, 2)
	equal(t, "retired", len(made.Retired), 0)
	for text, want := range map[string]uint32{first: 1, second: 2} {
		if got := r.takenUnder(text); !slices.Equal(got, []uint32{want}) {
			t.Errorf("found under %v, want %d", got, want)
		}
	}
	r.must(patch("api-keys", "first", `{"description":"changed"}`)) // a change moves no key to another pepper
	if got := r.takenUnder(first); !slices.Equal(got, []uint32{1}) {
		t.Errorf("found under %v", got)
	}
	r.consistent()
}

func TestAFourthPepperIsRefusedInWordsUntilTheOldestHasNoKeys(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`))
	r.key("old-a")
	r.key("old-b")
	r.mustRotatePepper()
	r.key("b")
	r.mustRotatePepper()
	r.key("c")
	_, err := r.publisher.RotatePepper(t.Context(), r.env)
	refused := asProblem(t, err)
	equal(t, "code", refused.Code, problem.Conflict)
	for _, want := range []string{"2 keys", `"old-a"`, `"old-b"`, "version 1"} {
		if !strings.Contains(refused.Error(), want) {
			t.Errorf("%q doesn't say %q", refused.Error(), want)
		}
	}
	equal(t, "peppers", len(r.peppers()), 3)
	r.must(remove("api-keys", "old-a"), remove("api-keys", "old-b"))
	made := r.mustRotatePepper()
	equal(t, "version", made.Version, 4)
	if !slices.Equal(made.Retired, []uint32{1}) {
		t.Errorf("retired %v", made.Retired)
	}
	equal(t, "peppers", len(r.peppers()), 3)
	r.consistent()
	if _, err := r.publisher.RotatePepper(t.Context(), "env_none"); asProblem(t, err).Code != problem.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestNoKeyIsMadeWithAPepperThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`))
	other := r.another()
	var writing sync.WaitGroup
	texts := make([]string, 12)
	for i := range texts {
		writing.Go(func() {
			result, err := other.apply(create("api-keys", fmt.Sprintf(`{"name":"k%d","consumer":"app"}`, i)))
			if err != nil {
				t.Errorf("create: %v", err)
				return
			}
			texts[i] = shown(result, 0).GetKey()
		})
	}
	for range 4 {
		if _, err := r.publisher.RotatePepper(t.Context(), r.env); err != nil && asProblem(t, err).Code != problem.Conflict {
			t.Error(err)
		}
	}
	writing.Wait()
	for _, text := range texts {
		if len(r.takenUnder(text)) != 1 {
			t.Error("a key that nodes don't find")
		}
	}
	r.consistent()
}
