package catalog

import (
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// Origin is where in a caller's body an object comes from: the violations' pointers begin there.
type Origin struct {
	Operation string // the step: "/operations/3", "" when it is the whole request
	Body      string // the object in it: "/operations/3/body", "" when it is the whole body
}

// Candidate is a head with changes laid on top, to be checked as a whole. It belongs to one goroutine.
//
// Stage everything by Put and Delete first; then Check says what is wrong or, when nothing is, the
// result is in Head, Changes and References.
type Candidate struct {
	base      *Head
	next      *Head
	now       time.Time
	elsewhere Elsewhere
	bounds    access.Bounds
	held      func(access.Permission) access.Bounds // nil: fields that take a permission of their own are anybody's
	forced    bool

	staged map[ref]*staged
	order  []*staged // as they were first touched
	names  map[name]string
	lost   map[name]bool // objects whose body couldn't be read: references to them aren't wrong by themselves

	refusals Refusals
	result   []Edit
}

// staged is one object as the operations left it.
type staged struct {
	ref     ref
	t       *resource.Type
	origin  Origin
	before  *Object          // nil: it is new
	message resource.Message // nil: it is deleted
	after   *Object          // once checked
	broken  bool             // its own fields are refused: the whole is checked without it
}

// Edit is one object's change.
type Edit struct {
	Before, After *Object // nil: made, or deleted
}

// Elsewhere finds objects of the directory that the configuration refers to.
type Elsewhere interface {
	// Has tells whether references into this collection are the directory's.
	Has(collection string) bool
	// Resolve returns the id of the object of an id or name; false when there is none.
	Resolve(collection, key string) (string, bool)
}

// Candidate returns this head with nothing changed yet.
func (h *Head) Candidate(now time.Time, elsewhere Elsewhere) *Candidate {
	return &Candidate{
		base: h, now: now, elsewhere: elsewhere, bounds: access.Bounds{Whole: true},
		staged: make(map[ref]*staged), names: make(map[name]string), lost: make(map[name]bool),
	}
}

// Force lets pass what is only refused unless the author insists.
func (c *Candidate) Force() { c.forced = true }

// Find returns an object as the operations so far have left it, to read: its id, its message, and its
// ETag before any of them ("" when it is new).
func (c *Candidate) Find(collection, key string) (Found, bool) {
	r := ref{collection, key}
	if !id.LooksLikeID(key) {
		var ok bool
		if r, ok = c.named(collection, key); !ok {
			return Found{}, false
		}
	}
	if !c.sees(r) {
		return Found{}, false
	}
	if s, ok := c.staged[r]; ok {
		if s.message == nil {
			return Found{}, false
		}
		return Found{ID: s.ref.id, Message: s.message, ETag: etagOf(s.before)}, true
	}
	o, ok := c.base.objects.get(r)
	if !ok {
		return Found{}, false
	}
	return Found{ID: o.ID, Message: o.Message, ETag: o.ETag}, true
}

// FindSingleton is Find for a singleton, which is there, empty and without id, before it is first written.
func (c *Candidate) FindSingleton(t *resource.Type, key string) (Found, bool) {
	if found, ok := c.Find(t.Collection, key); ok || !t.Singleton || key != t.Collection {
		return found, ok
	}
	o, err := unwritten(t)
	if err != nil {
		return Found{}, false
	}
	return Found{Message: o.Message, ETag: o.ETag}, true
}

// Found is an object of a candidate.
type Found struct {
	ID      string           // empty: a singleton that was never written
	Message resource.Message // don't change it
	ETag    string
}

// named finds an object by the name that it has after the operations so far.
func (c *Candidate) named(collection, key string) (ref, bool) {
	n := name{collection, key}
	if found, ok := c.names[n]; ok {
		r := ref{collection, found}
		s := c.staged[r]
		return r, s.message != nil && s.message.GetName() == key
	}
	found, ok := c.base.names.get(n)
	if !ok {
		return ref{}, false
	}
	r := ref{collection, found}
	if s, touched := c.staged[r]; touched && (s.message == nil || s.message.GetName() != key) {
		return ref{}, false
	}
	return r, true
}

// Put stages an object's new message, which has its id. The candidate takes the message over.
func (c *Candidate) Put(t *resource.Type, m resource.Message, origin Origin) {
	s := c.touch(ref{t.Collection, m.GetId()}, t)
	s.message, s.origin = m, origin
	c.names[name{t.Collection, m.GetName()}] = m.GetId()
}

// Break tells that a staged object is refused already: its fields are checked, and the whole without it.
func (c *Candidate) Break(t *resource.Type, id string) {
	if s, ok := c.staged[ref{t.Collection, id}]; ok {
		s.broken = true
	}
}

// Lost tells of an object that would be staged if its body could be read.
func (c *Candidate) Lost(collection, key string) { c.lost[name{collection, key}] = true }

// Delete stages the end of an object.
func (c *Candidate) Delete(t *resource.Type, id string, origin Origin) {
	s := c.touch(ref{t.Collection, id}, t)
	s.message, s.origin = nil, origin
}

func (c *Candidate) touch(r ref, t *resource.Type) *staged {
	if s, ok := c.staged[r]; ok {
		return s
	}
	s := &staged{ref: r, t: t}
	s.before, _ = c.base.objects.get(r)
	c.staged[r] = s
	c.order = append(c.order, s)
	return s
}

// Origin returns where in the caller's body a staged object comes from.
func (c *Candidate) Origin(collection, id string) Origin {
	if s, ok := c.staged[ref{collection, id}]; ok {
		return s.origin
	}
	return Origin{}
}

// Base returns the head as it is.
func (c *Candidate) Base() *Head { return c.base }

// Head returns the head as it would be, without a position of its own. Only once Check found nothing.
func (c *Candidate) Head() *Head { return c.next }

// Edits returns what changes, in the order in which it was first touched; nothing for an object whose
// bytes stay the same. Only once Check found nothing.
func (c *Candidate) Edits() []Edit { return c.result }

// After returns the object of an id as it would be.
func (c *Candidate) After(collection, id string) (*Object, bool) {
	return c.next.objects.get(ref{collection, id})
}

// NeedsDirectory tells whether a changed object refers to the directory.
func (c *Candidate) NeedsDirectory() bool {
	for _, e := range c.result {
		if e.After == nil {
			continue
		}
		for _, r := range e.After.references {
			if c.elsewhere.Has(r.Collection) && r.Collection != resource.Teams { // no node knows of teams
				return true
			}
		}
	}
	return false
}

// References returns what an object refers to, in either lane.
func (o *Object) References() []resource.Reference { return o.references }

func etagOf(o *Object) string {
	if o == nil {
		return ""
	}
	return o.ETag
}

// ReferencesElsewhere returns what the staged objects refer to in the directory, names included; to a bound author also what they
// referred to.
func (c *Candidate) ReferencesElsewhere() []resource.Reference {
	var found []resource.Reference
	add := func(references []resource.Reference) {
		for _, r := range references {
			if c.elsewhere.Has(r.Collection) {
				found = append(found, r)
			}
		}
	}
	for _, s := range c.order {
		if s.message != nil {
			add(resource.References(s.message))
		}
		if s.before != nil && !c.bounds.Whole {
			add(s.before.references)
		}
	}
	return found
}

// NameBefore returns the name that an object had before the operations; "" when it wasn't there.
func (c *Candidate) NameBefore(collection, id string) string {
	if o, ok := c.base.objects.get(ref{collection, id}); ok {
		return o.Name
	}
	return ""
}
