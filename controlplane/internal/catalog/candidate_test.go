package catalog

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// lane is a directory that holds what its map says, for the collections that it says.
type lane struct {
	collections map[string]bool
	ids         map[string]string
}

func (l lane) Has(collection string) bool { return l.collections[collection] }

func (l lane) Resolve(_, key string) (string, bool) {
	found, ok := l.ids[key]
	return found, ok
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func stage(t testing.TB, c *Candidate, collection, body string) string {
	t.Helper()
	rt, ok := resource.ByCollection(collection)
	if !ok {
		t.Fatal(collection)
	}
	m := rt.New()
	if v := resource.Decode([]byte(body), m); len(v) > 0 {
		t.Fatalf("%s: %v", body, v)
	}
	made := id.Text(rt.Prefix, id.New(now))
	SetID(m, made)
	c.Put(rt, m, Origin{Operation: "/op", Body: "/op/body"})
	return made
}

func check(t testing.TB, c *Candidate) error {
	t.Helper()
	refusals, err := c.Check()
	if err != nil {
		t.Fatal(err)
	}
	return refusals.Err()
}

// Services stand in for a collection of the directory here: no resource refers to one yet.
func TestReferencesIntoTheDirectoryAreResolvedAndRemembered(t *testing.T) {
	consumer := id.Text("svc", id.New(now))
	elsewhere := lane{collections: map[string]bool{Services: true}, ids: map[string]string{"app": consumer, consumer: consumer}}
	c := newHead().Candidate(now, elsewhere)
	made := stage(t, c, Routes, `{"name":"r","service":"app","paths":[{"prefix":"/"}],"public":true}`)
	if refs := c.ReferencesElsewhere(); len(refs) != 1 || refs[0].Value != "app" {
		t.Errorf("to be locked: %v", refs)
	}
	if err := check(t, c); err != nil {
		t.Fatal(err)
	}
	if !c.NeedsDirectory() {
		t.Error("the revision needs no directory")
	}
	o, _ := c.After(Routes, made)
	if refs := o.References(); len(refs) != 1 || refs[0].Value != consumer {
		t.Errorf("stored: %v", refs)
	}
	if referrers := c.Head().Referrers(Services, consumer); len(referrers) != 1 || referrers[0].ID != made || referrers[0].Pointer != "/service" {
		t.Errorf("referrers: %v", referrers)
	}

	bad := newHead().Candidate(now, elsewhere)
	stage(t, bad, Routes, `{"name":"r","service":"nobody","paths":[{"prefix":"/"}],"public":true}`)
	if p := problem.From(check(t, bad)); len(p.Errors) != 1 || p.Errors[0].Code != problem.ViolationUnknownReference || p.Errors[0].Pointer != "/op/body/service" {
		t.Errorf("got %+v", p)
	}
}

func TestReferencesToWhatCouldNotBeReadAreNotWrongByThemselves(t *testing.T) {
	c := newHead().Candidate(now, lane{})
	c.Lost(Services, "broken")
	stage(t, c, Routes, `{"name":"r","service":"broken","paths":[{"prefix":"/"}],"public":true}`)
	if err := check(t, c); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestEditedHeadEqualsOneBuiltFromScratch makes random changes one after the other, and compares every
// index with that of a head that is built from the objects alone.
func TestEditedHeadEqualsOneBuiltFromScratch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := newHead()
	services, _ := resource.ByCollection(Services)
	routes, _ := resource.ByCollection(Routes)
	policies, _ := resource.ByCollection(Policies)
	for range 300 {
		c := h.Candidate(now, lane{})
		s := fmt.Sprintf("s%d", random.IntN(5))
		switch o, there := h.Object(Services, s); {
		case !there:
			stage(t, c, Services, fmt.Sprintf(`{"name":%q,"upstream":{"targets":[{"address":"a:1"}]}}`, s))
		case random.IntN(3) == 0:
			c.Delete(services, o.ID, Origin{})
		default:
			stage(t, c, Routes, fmt.Sprintf(`{"name":"r%d","service":%q,"paths":[{"prefix":"/%d"}],"public":true,"hosts":["h%d.example"]}`, random.Uint64(), s, random.IntN(9), random.IntN(3)))
			stage(t, c, Policies, fmt.Sprintf(`{"name":"p%d","kind":"api-key","config":{},"attached_to":[{"service":%q},{"environment":true}]}`, random.Uint64(), s))
		}
		for t, collection := range map[*resource.Type]string{routes: Routes, policies: Policies} {
			if all := h.Objects(collection); len(all) > 0 && random.IntN(2) == 0 {
				c.Delete(t, all[random.IntN(len(all))].ID, Origin{})
			}
		}
		if check(t, c) == nil {
			h = c.Head()
		}
	}
	fresh := newHead()
	n := 0
	for _, o := range h.objects.all() {
		fresh.put(o)
		n++
	}
	fresh.settle()
	if fresh.Digest != h.Digest || n == 0 || h.entries.Len() != n {
		t.Errorf("digest %s, from scratch %s of %d objects", h.Digest, fresh.Digest, n)
	}
	compare(t, "names", &h.names, &fresh.names, func(a, b string) bool { return a == b })
	compare(t, "referrers", &h.referrers, &fresh.referrers, func(a, b int) bool { return a == b })
	compare(t, "matches", &h.matches, &fresh.matches, func(a, b []*Object) bool { return len(a) == len(b) })
	compare(t, "guards", &h.guards, &fresh.guards, func(a, b []guard) bool { return len(a) == len(b) })
}

func compare[K comparable, V any](t *testing.T, what string, got, want *table[K, V], equal func(a, b V) bool) {
	t.Helper()
	n := 0
	for k, v := range want.all() {
		n++
		if have, ok := got.get(k); !ok || !equal(have, v) {
			t.Errorf("%s: %v is %v, from scratch %v", what, k, have, v)
		}
	}
	for range got.all() {
		n--
	}
	if n != 0 {
		t.Errorf("%s: %d entries differ", what, n)
	}
}

func TestWritingToACopyLeavesTheTableAlone(t *testing.T) {
	var a table[int, int]
	base := a.edit()
	for i := range 1000 {
		base.set(i, i)
	}
	b := base.edit()
	for i := range 500 {
		b.set(i, -1)
		b.delete(i + 500)
	}
	for i := range 1000 {
		if v, ok := base.get(i); !ok || v != i {
			t.Fatalf("%d became %d", i, v)
		}
		if v, ok := b.get(i); (i < 500) != ok || (ok && v != -1) {
			t.Fatalf("in the copy %d is %d", i, v)
		}
	}
}

func TestHeadThatDiffersFromTheDatabaseIsRefused(t *testing.T) {
	h := newHead()
	if err := h.verify(Position{Revision: 1, Digest: digest.Sum{1}}); err == nil {
		t.Error("it was taken")
	}
}
