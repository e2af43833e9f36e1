package directory

import (
	"testing"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestARouteSetAllowsItsRoutesAndAllOfItsServices(t *testing.T) {
	var many []id.ID
	for n := range 3 * linearRoutes {
		many = append(many, idOf(n))
	}
	for name, set := range map[string]RouteSet{"few": NewRouteSet(idOf(2), idOf(1), idOf(2)), "many": NewRouteSet(many...)} {
		if !set.Allows(idOf(1), idOf(500)) || !set.Allows(idOf(500), idOf(2)) || set.Allows(idOf(500), idOf(501)) || set.Empty() {
			t.Errorf("%s: it allows what isn't in it, or not what is", name)
		}
	}
	if none := NewRouteSet(); !none.Empty() || !none.Allows(idOf(1), idOf(2)) || none.Contains(idOf(1)) {
		t.Error("a set of nothing binds a key to something")
	}
}

// Keys with nothing of their own cost no index, however many others have something.
func TestKeysAreKnownWithTheirRoutesAndMarksAndOthersPayNothingForThem(t *testing.T) {
	const plain = 300
	special := func(n int, change func(*directoryv1.ApiKey)) *edgev1.EntryChange {
		sum, own, of := digestOf(n), idOf(n), idOf(1)
		k := &directoryv1.ApiKey{Digest: sum[:], Id: own[:], Consumer: of[:]}
		change(k)
		return keyEntry(t, k)
	}
	route := idOf(70)
	entries := []*edgev1.EntryChange{consumer(t, 1, "app")}
	for n := range plain {
		entries = append(entries, apiKey(t, n, 1))
	}
	d := New()
	apply(t, d, entries...)
	if d.Imported() || len(d.state.Load().attributes.list) != 1 {
		t.Fatal("plain keys have something of their own")
	}
	apply(t, d,
		special(1000, func(k *directoryv1.ApiKey) { k.Routes = [][]byte{route[:]} }),
		special(1001, func(k *directoryv1.ApiKey) { k.Watched = true }),
		special(1002, func(k *directoryv1.ApiKey) { k.Imported = true }),
		special(1003, func(k *directoryv1.ApiKey) { k.Imported = true }),
	)
	check := func(t *testing.T) {
		t.Helper()
		if n := len(d.state.Load().attributes.list); n != 4 {
			t.Errorf("%d combinations are kept, want 3 and the empty one", n-1)
		}
		bound, _ := d.Key(digestOf(1000))
		watched, _ := d.Key(digestOf(1001))
		other, known := d.Key(digestOf(7))
		if !bound.Routes.Contains(route) || bound.Watched() || !watched.Watched() || !watched.Routes.Empty() || !known || other.Watched() || !other.Routes.Empty() {
			t.Errorf("the keys are %+v, %+v and %+v", bound, watched, other)
		}
		if !d.Imported() {
			t.Error("it doesn't know of keys that another system made")
		}
	}
	check(t)
	d.state.Store(d.state.Load().renumbered())
	check(t)
}

func TestAnEntryWithARouteThatIsNoIDIsRefused(t *testing.T) {
	sum, own := digestOf(1), idOf(1)
	_, err := New().Prepare([]*edgev1.EntryChange{keyEntry(t, &directoryv1.ApiKey{Digest: sum[:], Id: own[:], Consumer: own[:], Routes: [][]byte{{1, 2}}})})
	if err == nil {
		t.Error("it was taken")
	}
}
