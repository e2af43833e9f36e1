package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// maxCatchUp is how many revisions a head catches up one by one; further behind, it is loaded anew.
const maxCatchUp = 1000

// Catalog keeps the newest known head of each environment. It is safe for concurrent use.
type Catalog struct {
	store Store
	log   *slog.Logger
	heads sync.Map // environment → *slot
}

// slot is one environment's place in the catalog.
type slot struct {
	head atomic.Pointer[Head]
	lock sync.Mutex // held by readers while they catch up, so that it is done once
}

// New returns a catalog that reads a store.
func New(store Store, log *slog.Logger) *Catalog { return &Catalog{store: store, log: log} }

// Head returns an environment's configuration as it is committed now.
func (c *Catalog) Head(ctx context.Context, environment string) (*Head, error) {
	at, err := c.store.Position(ctx, environment)
	if err != nil {
		return nil, err
	}
	return c.CatchUp(ctx, c.store, environment, at)
}

// CatchUp returns the head at a position or, to a reader that was overtaken, at a later one.
func (c *Catalog) CatchUp(ctx context.Context, source Source, environment string, at Position) (*Head, error) {
	s := c.slot(environment)
	if h := s.head.Load(); h.covers(at) {
		return h, nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if h := s.head.Load(); h.covers(at) {
		return h, nil
	}
	h, err := c.advance(ctx, source, environment, s.head.Load(), at)
	if err != nil {
		return nil, fmt.Errorf("catch up configuration of %s: %w", environment, err)
	}
	s.keep(h)
	return h, nil
}

// Locked returns the head at exactly the position of a transaction that holds the environment's row lock.
//
// It waits for no lock of this process: whoever holds one may itself wait for a connection, and all
// connections may be held by writers that wait for the row. The worst is that a head is built twice.
func (c *Catalog) Locked(ctx context.Context, tx Source, environment string, at Position) (*Head, error) {
	s := c.slot(environment)
	from := s.head.Load()
	if from.covers(at) && from.Revision == at.Revision {
		return from, nil
	}
	h, err := c.advance(ctx, tx, environment, from, at)
	if err != nil {
		return nil, fmt.Errorf("catch up configuration of %s: %w", environment, err)
	}
	if from != nil && from.Epoch == at.Epoch && from.Revision > at.Revision {
		c.log.ErrorContext(ctx, "the database is behind what this replica has seen: it went back", "environment", environment, "seen", from.Revision, "revision", at.Revision)
		s.head.Store(h)
	}
	s.keep(h)
	return h, nil
}

// Advance keeps a head that was just committed.
func (c *Catalog) Advance(environment string, h *Head) { c.slot(environment).keep(h) }

func (c *Catalog) slot(environment string) *slot {
	if s, ok := c.heads.Load(environment); ok {
		return s.(*slot)
	}
	s, _ := c.heads.LoadOrStore(environment, new(slot))
	return s.(*slot)
}

// keep replaces the slot's head unless that is later.
func (s *slot) keep(h *Head) {
	for {
		old := s.head.Load()
		if old == h || (old != nil && old.Epoch == h.Epoch && old.Revision > h.Revision) {
			return
		}
		if s.head.CompareAndSwap(old, h) {
			return
		}
	}
}

// covers tells whether a head is at a position or, in the same epoch, past it.
func (h *Head) covers(at Position) bool {
	switch {
	case h == nil || h.Epoch != at.Epoch:
		return false
	case h.Revision == at.Revision:
		return h.Digest == at.Digest // else the database went back, and forth another way
	default:
		return h.Revision > at.Revision
	}
}

// advance leads from a head to a position by the changes between, or loads the whole.
func (c *Catalog) advance(ctx context.Context, source Source, environment string, from *Head, at Position) (*Head, error) {
	if from != nil && from.Epoch == at.Epoch && from.Revision < at.Revision && at.Revision-from.Revision <= maxCatchUp {
		h, err := replay(ctx, source, environment, from, at)
		if err == nil {
			return h, nil
		}
		c.log.WarnContext(ctx, "configuration can't be caught up; it is loaded anew", "environment", environment, "from", from.Revision, "to", at.Revision, "error", err)
	}
	return load(ctx, source, environment)
}

func replay(ctx context.Context, source Source, environment string, from *Head, at Position) (*Head, error) {
	changes, err := source.ChangedObjects(ctx, environment, from.Revision, at.Revision)
	if err != nil {
		return nil, err
	}
	h := from.edit()
	for _, change := range changes {
		r := ref{change.Collection, change.ID}
		if change.After == nil {
			h.remove(r)
			continue
		}
		o, err := readObject(change.Collection, change.After)
		if err != nil {
			return nil, err
		}
		o.CreatedAt, o.UpdatedAt = change.Time, change.Time
		if before, ok := h.objects.get(r); ok {
			o.CreatedAt = before.CreatedAt
		}
		h.put(o)
	}
	if err := h.verify(at); err != nil {
		return nil, err
	}
	return h, nil
}

func load(ctx context.Context, source Source, environment string) (*Head, error) {
	at, records, err := source.Load(ctx, environment)
	if err != nil {
		return nil, err
	}
	h := newHead()
	for _, record := range records {
		o, err := readObject(record.Collection, record.Stored)
		if err != nil {
			return nil, err
		}
		o.CreatedAt, o.UpdatedAt = record.CreatedAt, record.UpdatedAt
		h.put(o)
	}
	if err := h.verify(at); err != nil {
		return nil, err
	}
	return h, nil
}

// Get returns the object of an id or name. A singleton that was never written is there all the same,
// empty, without id and times.
func (c *Catalog) Get(ctx context.Context, environment, collection, key string) (Object, error) {
	t, ok := resource.ByCollection(collection)
	if !ok {
		return Object{}, problem.Errorf(problem.NotFound, "there is no collection %q", collection)
	}
	h, err := c.Head(ctx, environment)
	if err != nil {
		return Object{}, err
	}
	if o, ok := h.Object(collection, key); ok {
		return *o, nil
	}
	if t.Singleton && key == t.Collection {
		return unwritten(t)
	}
	return Object{}, problem.Errorf(problem.NotFound, "there is no %s %q in this environment", t.Singular, key)
}

// unwritten is a singleton before it is first written.
func unwritten(t *resource.Type) (Object, error) {
	m := Unwritten(t)
	stored, err := resource.Stored(m)
	if err != nil {
		return Object{}, fmt.Errorf("unwritten %s: %w", t.Singular, err)
	}
	return Object{Collection: t.Collection, Name: m.GetName(), ETag: resource.ETag(stored), Message: m, Stored: stored}, nil
}
