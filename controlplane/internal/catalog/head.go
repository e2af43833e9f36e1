package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Position is where an environment's configuration is.
type Position struct {
	Epoch          uint64
	Revision       uint64 // 0: nothing was ever written
	Digest         digest.Sum
	SequenceNeeded uint64 // of the directory
}

// Head is one revision of one environment's configuration, whole. It is immutable and safe for
// concurrent use.
type Head struct {
	Position

	objects   table[ref, *Object]
	names     table[name, string]    // id
	referrers table[ref, int]        // how many references there are to an object of the configuration
	matches   table[rank, []*Object] // routes by every rank they have
	guards    table[ref, []guard]    // by place
	policies  table[ref, []*Object]  // by place
	rails     []*Object              // the guardrails
	shown     []*Object              // the certificates
	counts    map[string]uint64      // objects by collection, and the bytes of all under limits.ConfigurationBytes

	lock    sync.Mutex // entries settles its sums when it is cloned
	entries *digest.Set

	sorted sync.Map // collection → func() []*Object, in the order of names
}

// newHead returns the head of an empty configuration.
func newHead() *Head { return &Head{counts: make(map[string]uint64), entries: new(digest.Set)} }

// Empty returns the head of an environment to which nothing was ever written.
func Empty() *Head { return newHead() }

// edit returns a copy to write to, which nobody else may see until it is done.
func (h *Head) edit() *Head {
	return &Head{
		Position: h.Position,
		objects:  h.objects.edit(), names: h.names.edit(), referrers: h.referrers.edit(),
		matches: h.matches.edit(), guards: h.guards.edit(), policies: h.policies.edit(), rails: h.rails, shown: h.shown, counts: maps.Clone(h.counts), entries: h.cloneEntries(),
	}
}

func (h *Head) cloneEntries() *digest.Set {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.entries.Clone()
}

// Object returns the object of an id or name.
func (h *Head) Object(collection, key string) (*Object, bool) {
	if !id.LooksLikeID(key) {
		found, ok := h.names.get(name{collection, key})
		if !ok {
			return nil, false
		}
		key = found
	}
	return h.objects.get(ref{collection, key})
}

// Objects returns a collection in the order of its names. The slice is shared: don't change it.
func (h *Head) Objects(collection string) []*Object {
	sorted, ok := h.sorted.Load(collection)
	if !ok {
		sorted, _ = h.sorted.LoadOrStore(collection, sync.OnceValue(func() []*Object { return h.sort(collection) }))
	}
	return sorted.(func() []*Object)()
}

func (h *Head) sort(collection string) []*Object {
	var found []*Object
	for k, o := range h.objects.all() {
		if k.collection == collection {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b *Object) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// Guardrails returns the guardrails, in the order in which they came. The slice is shared: don't change it.
func (h *Head) Guardrails() []*Object { return h.rails }

// Certificates returns the certificates, in the order in which they came. The slice is shared: don't change it.
func (h *Head) Certificates() []*Object { return h.shown }

// referrersOf lists who refers to an object, in the order of collections and names.
func (h *Head) referrersOf(to ref) []problem.Reference {
	var found []problem.Reference
	if n, _ := h.referrers.get(to); n == 0 {
		return nil
	}
	for _, t := range resource.Types() {
		for _, o := range h.Objects(t.Collection) {
			for _, r := range o.references {
				if r.Collection == to.collection && r.Value == to.id {
					found = append(found, problem.Reference{Type: t.Singular, ID: o.ID, Name: o.Name, Pointer: r.Pointer})
				}
			}
		}
	}
	return found
}

// Referrers lists the configuration's objects that refer to an object of either lane.
func (h *Head) Referrers(collection, id string) []problem.Reference {
	return h.referrersOf(ref{collection, id})
}

// put adds an object, or takes away what was there under its id first.
func (h *Head) put(o *Object) {
	h.remove(o.ref())
	h.objects.set(o.ref(), o)
	h.names.set(o.named(), o.ID)
	h.counts[o.Collection]++
	h.counts[limits.ConfigurationBytes] += uint64(len(o.Stored))
	for _, r := range o.references {
		h.count(ref{r.Collection, r.Value}, 1)
	}
	for i, m := range o.matches {
		if !slices.ContainsFunc(o.matches[:i], func(b match) bool { return b.rank == m.rank }) {
			routes, _ := h.matches.get(m.rank)
			h.matches.set(m.rank, append(slices.Clip(routes), o))
		}
	}
	for _, g := range o.guards {
		guards, _ := h.guards.get(g.place)
		h.guards.set(g.place, append(slices.Clip(guards), g))
	}
	for _, place := range o.places {
		policies, _ := h.policies.get(place)
		h.policies.set(place, append(slices.Clip(policies), o))
	}
	switch o.Collection {
	case Guardrails:
		h.rails = append(slices.Clip(h.rails), o)
	case Certificates:
		h.shown = append(slices.Clip(h.shown), o)
	}
	h.entries.Put(o.key(), o.hash)
}

// remove takes an object away, if it is there.
func (h *Head) remove(r ref) {
	o, ok := h.objects.get(r)
	if !ok {
		return
	}
	h.objects.delete(r)
	h.counts[o.Collection]--
	h.counts[limits.ConfigurationBytes] -= uint64(len(o.Stored))
	if holder, _ := h.names.get(o.named()); holder == o.ID {
		h.names.delete(o.named())
	}
	for _, r := range o.references {
		h.count(ref{r.Collection, r.Value}, -1)
	}
	for _, m := range o.matches {
		drop(&h.matches, m.rank, func(other *Object) bool { return other.ID == o.ID })
	}
	for _, g := range o.guards {
		drop(&h.guards, g.place, func(other guard) bool { return other.policy == o.ID })
	}
	for _, place := range o.places {
		drop(&h.policies, place, func(other *Object) bool { return other.ID == o.ID })
	}
	switch o.Collection {
	case Guardrails:
		h.rails = slices.DeleteFunc(slices.Clone(h.rails), func(other *Object) bool { return other.ID == o.ID })
	case Certificates:
		h.shown = slices.DeleteFunc(slices.Clone(h.shown), func(other *Object) bool { return other.ID == o.ID })
	}
	h.entries.Delete(o.key())
}

func (h *Head) count(to ref, by int) {
	n, _ := h.referrers.get(to)
	if n += by; n > 0 {
		h.referrers.set(to, n)
		return
	}
	h.referrers.delete(to)
}

// drop takes elements out of a list in a table, in a copy of the list.
func drop[K comparable, V any](t *table[K, []V], k K, is func(V) bool) {
	list, ok := t.get(k)
	if !ok || !slices.ContainsFunc(list, is) {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(list), is)
	if len(rest) == 0 {
		t.delete(k)
		return
	}
	t.set(k, rest)
}

// settle brings the digest of an edited head up to date.
func (h *Head) settle() { h.Digest = h.entries.Head() }

// verify compares the head's own digest with the one that the database has for the position.
func (h *Head) verify(at Position) error {
	h.settle()
	if h.Digest != at.Digest {
		return fmt.Errorf("configuration at revision %d has digest %s, the database says %s", at.Revision, h.Digest, at.Digest)
	}
	h.Position = at
	return nil
}
