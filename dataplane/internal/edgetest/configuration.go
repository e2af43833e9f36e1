package edgetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// ref names an object by its collection and name.
type ref struct{ collection, name string }

// consumers are of the directory, and referred to all the same.
const consumers = "consumers"

type object struct {
	id   id.ID
	data []byte
}

// Configure puts objects in force: {"services": [{"name": "s", …}], "routes": […], "policies": […], "settings": […]}.
// Objects refer to one another by name; those of earlier calls stay, unless one of the same name comes, or
// {"name": "s", "gone": true}. It fails the test when they don't compile.
func (e *Edge) Configure(t testing.TB, text string) {
	t.Helper()
	for _, err := range e.Try(t, text) {
		t.Errorf("%s %s%s: %s: %s", err.GetCollection(), err.GetId(), err.GetPointer(), err.GetCode(), err.GetMessage())
	}
	if t.Failed() {
		t.FailNow()
	}
}

// Try is Configure for objects that may be refused: the errors come back, and what was in force stays then.
func (e *Edge) Try(t testing.TB, text string) []*edgev1.ObjectError {
	t.Helper()
	before := maps.Clone(e.objects)
	e.read(t, text)
	previous := e.Holder.Load()
	revision := uint64(1)
	if previous != nil {
		revision = previous.Revision + 1
	}
	next, errs := snapshot.Compile(e.Env, revision, e.Sources(), previous)
	if len(errs) > 0 {
		e.objects = before
		return errs
	}
	e.Holder.Store(next)
	return nil
}

// Take takes objects into the configuration as Configure does, without compiling them.
func (e *Edge) Take(t testing.TB, text string) {
	t.Helper()
	e.read(t, text)
}

// Sources returns the objects in force.
func (e *Edge) Sources() []snapshot.Source {
	var sources []snapshot.Source
	for at, o := range e.objects {
		t, _ := resource.ByCollection(at.collection)
		sources = append(sources, snapshot.Source{Collection: at.collection, ID: id.Text(t.Prefix, o.id), Data: o.data})
	}
	slices.SortFunc(sources, func(a, b snapshot.Source) int { return cmp.Compare(a.ID, b.ID) })
	return sources
}

// read takes a text's objects into the configuration.
func (e *Edge) read(t testing.TB, text string) {
	t.Helper()
	var lists map[string][]json.RawMessage
	if err := json.Unmarshal([]byte(text), &lists); err != nil {
		t.Fatalf("configuration: %v", err)
	}
	for _, kind := range resource.Types() { // those that others refer to first
		for _, raw := range lists[kind.Collection] {
			e.readObject(t, kind, raw)
		}
		delete(lists, kind.Collection)
	}
	for collection := range lists {
		t.Fatalf("configuration: no collection %q", collection)
	}
}

func (e *Edge) readObject(t testing.TB, kind *resource.Type, raw json.RawMessage) {
	t.Helper()
	var said struct {
		Name string `json:"name"`
		Gone bool   `json:"gone"`
	}
	if err := json.Unmarshal(raw, &said); err != nil || said.Name == "" {
		t.Fatalf("%s: an object needs a name: %s (%v)", kind.Collection, raw, err)
	}
	at := ref{kind.Collection, said.Name}
	if said.Gone {
		delete(e.objects, at)
		return
	}
	e.Put(t, kind, decode(t, kind, raw))
}

func decode(t testing.TB, kind *resource.Type, raw []byte) resource.Message {
	t.Helper()
	m := kind.New()
	if violations := resource.Decode(raw, m); len(violations) > 0 {
		t.Fatalf("%s: %s: %+v", kind.Collection, raw, violations)
	}
	return m
}

// Put takes one object into the configuration, without compiling it. It sets the object's id, and turns the names that it
// refers to into ids.
func (e *Edge) Put(t testing.TB, kind *resource.Type, m resource.Message) {
	t.Helper()
	o := object{id: e.idOf(kind.Collection, m.GetName())}
	self := m.ProtoReflect().Descriptor().Fields().ByName("id")
	m.ProtoReflect().Set(self, protoreflect.ValueOfString(id.Text(kind.Prefix, o.id)))
	resource.Rewrite(m, func(r resource.Reference) string {
		if _, ok := resource.ByCollection(r.Collection); id.LooksLikeID(r.Value) || !ok && r.Collection != consumers {
			return r.Value
		}
		return e.ID(r.Collection, r.Value)
	})
	data, err := resource.Stored(m)
	if err != nil {
		t.Fatal(err)
	}
	o.data = data
	e.objects[ref{kind.Collection, m.GetName()}] = o
}

// ID returns the id, as text, of an object, or of a consumer whether or not there is one.
func (e *Edge) ID(collection, name string) string {
	if collection == consumers {
		return id.Text(id.Consumer, e.idOf(collection, name))
	}
	t, _ := resource.ByCollection(collection)
	return id.Text(t.Prefix, e.idOf(collection, name))
}

// idOf returns the id that a name has, the same in every test.
func (e *Edge) idOf(collection, name string) id.ID {
	if o, ok := e.objects[ref{collection, name}]; ok {
		return o.id
	}
	sum := digest.KeyOf(collection, name)
	return id.ID(sum[:16])
}

// Codes returns the errors of Try, short: "routes/paths/0 invalid_format".
func Codes(errs []*edgev1.ObjectError) []string {
	codes := make([]string, len(errs))
	for i, e := range errs {
		codes[i] = fmt.Sprintf("%s%s %s", e.GetCollection(), e.GetPointer(), e.GetCode())
	}
	slices.Sort(codes)
	return codes
}
