package publish_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const theirText = "a-key-that-kong-made"

func importing(text, name string) publish.Operation {
	return publish.Operation{
		Verb: publish.Import, Collection: directory.APIKeys, Body: []byte(fmt.Sprintf(`{"name":%q,"consumer":"app"}`, name)),
		Imported: &publish.ImportedKey{SHA256: sha256.Sum256([]byte(text))},
	}
}

func TestAnImportedKeyIsOnNodesAsWhatItIs(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"app"}`), importing(theirText, "theirs"))
	key := shown(made, 1)
	if held := r.node().takes(theirText); held == nil || !held.GetImported() || !key.GetImported() || key.GetKey() != "" {
		t.Errorf("the node holds %v, the answer is %v", held, key)
	}
	refused := r.refused(create("consumers", `{"name":"other"}`), importing("one-more-of-theirs", "one"), importing("one-more-of-theirs", "two"), importing(theirText, "three"))
	if refused.Code != problem.Conflict || len(refused.Errors) != 2 || refused.Errors[0].Pointer != "/operations/2/body" || refused.Errors[1].Pointer != "/operations/3/body" {
		t.Errorf("%+v", refused.Errors)
	}
	// What takes its place is ours.
	next := shown(r.must(publish.Operation{Verb: publish.Rotate, Collection: "api-keys", Key: "theirs"}), 0)
	if next.GetImported() || next.GetRotatedFrom() != key.GetId() || !strings.HasPrefix(next.GetKey(), "spk_") {
		t.Errorf("its successor is %v", next)
	}
	r.must(remove("api-keys", "theirs"))
	if r.node().takes(theirText) != nil {
		t.Error("it lets in although it was revoked")
	}
	r.consistent()
}

func TestOfManyWhoImportOneKeyAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`))
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			_, errs[i] = r.publisher.Apply(t.Context(), publish.Batch{
				Environment: r.env, Author: author, Operations: []publish.Operation{importing(theirText, fmt.Sprintf("theirs-%d", i))},
			})
		})
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if problem.CodeOf(err) != problem.Conflict {
			t.Error(err)
		}
	}
	equal(t, "imports", made, 1)
	r.consistent()
}

func TestRoutesOfAKeyReachNodes(t *testing.T) {
	t.Parallel()
	r := start(t)
	key := shown(r.must(create("consumers", `{"name":"app"}`),
		create("api-keys", `{"name":"bound","consumer":"app","routes":["svc_01k00000000000000000000001","rt_01k00000000000000000000002"]}`)), 1)
	want, err := id.Parse(id.Service, "svc_01k00000000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	held := r.node().takes(key.GetKey())
	if len(held.GetRoutes()) != 2 || id.ID(held.GetRoutes()[0]) != want {
		t.Errorf("the node holds %v", held)
	}
	r.must(patch("api-keys", "bound", `{"routes":null}`))
	if held := r.node().takes(key.GetKey()); len(held.GetRoutes()) != 0 {
		t.Errorf("unbound, the node holds %v", held)
	}
	r.consistent()
}

// A rotation must go through while nodes are updated; what an older one can't know is demanded of none.
func TestARotatedKeyIsWatchedOnceEveryNodeKnowsOfThatAndIsRotatedBefore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		capability uint32
		overlap    string
		watched    bool
	}{
		"all know": {directory.KeyLife, "1h", true}, "one doesn't": {directory.KeyLife - 1, "1h", false}, "no overlap": {directory.KeyLife, "0s", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			r.enrolled("node", tt.capability)
			old := shown(r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"old","consumer":"app"}`)), 1)
			r.must(publish.Operation{Verb: publish.Rotate, Collection: "api-keys", Key: "old", Body: []byte(`{"overlap":"` + tt.overlap + `"}`)})
			read, err := r.directory.Get(t.Context(), r.env, directory.APIKeys, "old")
			if err != nil {
				t.Fatal(err)
			}
			m := read.Message.(*adminv1.ApiKey)
			if held := r.node().takes(old.GetKey()); held.GetWatched() != tt.watched || m.GetWatched() != tt.watched || !m.GetRotatedAt().IsValid() {
				t.Errorf("it is %v, on the node %v", m, held)
			}
		})
	}
}

func TestAKeyThatANodeDoesNotKnowNeedsForce(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.enrolled("old", directory.KeyLife-1)
	r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"plain","consumer":"app"}`))
	for what, op := range map[string]publish.Operation{
		"imported":   importing(theirText, "theirs"),
		"bound":      create("api-keys", `{"name":"bound","consumer":"app","routes":["rt_01k00000000000000000000002"]}`),
		"bound late": patch("api-keys", "plain", `{"routes":["rt_01k00000000000000000000002"]}`),
	} {
		if refused := r.refused(op); refused.Code != problem.CapabilityMissing {
			t.Errorf("%s: %+v", what, refused)
		}
	}
	if _, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{importing(theirText, "theirs")}, Force: true}); err != nil {
		t.Error(err)
	}
}
