package publish_test

import (
	"bytes"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

type objectKey struct{ collection, id string }

// consistent recomputes everything that the write path keeps from what it wrote: revisions are gap-free,
// their changes replayed give their digests and, at the end, the objects; every reference has its object;
// sequences are gap-free, and the entries give the directory's digest.
func (r *replica) consistent() {
	r.t.Helper()
	objects := r.replayed()
	r.sameObjects(objects)
	r.referencesHold(objects)
	r.directoryHolds()
}

// replayed replays every revision, and holds each one's digest against a digest from scratch.
func (r *replica) replayed() map[objectKey][]byte {
	r.t.Helper()
	ctx := r.t.Context()
	at, err := r.db.Position(ctx, r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	changes, err := r.db.ChangedObjects(ctx, r.env, 0, at.Revision)
	if err != nil {
		r.t.Fatal(err)
	}
	objects := make(map[objectKey][]byte)
	var set digest.Set
	next := 0
	for number := uint64(1); number <= at.Revision; number++ {
		revision, err := r.db.Revision(ctx, r.env, number)
		if err != nil {
			r.t.Fatalf("a gap at revision %d: %v", number, err)
		}
		n := 0
		for ; next < len(changes) && changes[next].Revision == number; next++ {
			c := changes[next]
			n++
			if c.After == nil {
				delete(objects, objectKey{c.Collection, c.ID})
				set.Delete(digest.KeyOf(c.Collection, c.ID))
				continue
			}
			objects[objectKey{c.Collection, c.ID}] = c.After
			set.Put(digest.KeyOf(c.Collection, c.ID), digest.HashOf(c.After))
		}
		if n == 0 || n != revision.Changes {
			r.t.Errorf("revision %d says %d changes and has %d", number, revision.Changes, n)
		}
		if set.Head() != digest.Sum(revision.Digest) {
			r.t.Fatalf("revision %d: digest from scratch %s, stored %x", number, set.Head(), revision.Digest)
		}
	}
	if set.Head() != at.Digest {
		r.t.Errorf("head: digest from scratch %s, stored %s", set.Head(), at.Digest)
	}
	return objects
}

func (r *replica) sameObjects(replayed map[objectKey][]byte) {
	r.t.Helper()
	_, records, err := r.db.Load(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(records) != len(replayed) {
		r.t.Errorf("%d objects, %d when replayed", len(records), len(replayed))
	}
	for _, o := range records {
		if !bytes.Equal(replayed[objectKey{o.Collection, o.ID}], o.Stored) {
			r.t.Errorf("%s %s differs from its replay", o.Collection, o.ID)
		}
	}
	head, err := r.catalog.Head(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, t := range resource.Types() {
		n += len(head.Objects(t.Collection))
	}
	if n != len(records) {
		r.t.Errorf("%d objects in memory, %d in the database", n, len(records))
	}
}

func (r *replica) referencesHold(objects map[objectKey][]byte) {
	r.t.Helper()
	wanted := 0
	for k, stored := range objects {
		t, _ := resource.ByCollection(k.collection)
		m, err := resource.FromStored(t, stored)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, ref := range resource.References(m) {
			wanted++
			if !r.isThere(objects, ref) {
				r.t.Errorf("%s %s refers at %s to %s, which isn't there", k.collection, k.id, ref.Pointer, ref.Value)
			}
		}
	}
	equal(r.t, "rows of references", r.count("object_references"), wanted)
}

// isThere tells whether what is referred to exists, in the lane that it belongs to.
func (r *replica) isThere(objects map[objectKey][]byte, ref resource.Reference) bool {
	r.t.Helper()
	if _, inConfiguration := resource.ByCollection(ref.Collection); inConfiguration {
		_, ok := objects[objectKey{ref.Collection, ref.Value}]
		return ok
	}
	_, err := r.directory.Get(r.t.Context(), r.env, ref.Collection, ref.Value)
	return err == nil
}

func (r *replica) directoryHolds() {
	r.t.Helper()
	lanes := r.db.Lanes(r.vault)
	var set digest.Set
	head, err := lanes.DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		set.Put(digest.Key(c.GetKey()), digest.HashOf(c.GetEntry()))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if sum := set.Head(); !bytes.Equal(sum[:], head.Digest) {
		r.t.Errorf("directory: digest from scratch %s, stored %x", sum, head.Digest)
	}
	rows := r.count("consumers") + r.count("api_keys") + r.count("secrets") + r.count("peppers") + r.count("blocks") + r.count("ticket_keys")
	var sets int // of issuers that are there; all that these tests write have something to say
	if err := r.db.Pool().QueryRow(r.t.Context(), `SELECT count(*) FROM issuer_keys WHERE environment = $1 AND deleted_at IS NULL`, r.env).Scan(&sets); err != nil {
		r.t.Fatal(err)
	}
	equal(r.t, "live entries", set.Len(), rows+sets)
	_, changes, err := lanes.DirectoryChanges(r.t.Context(), r.env, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(changes) > 0 && head.Number < uint64(len(changes)) {
		r.t.Errorf("%d entries up to sequence %d", len(changes), head.Number)
	}
}

func (r *replica) count(table string) int {
	r.t.Helper()
	var n int
	if err := r.db.Pool().QueryRow(r.t.Context(), "SELECT count(*) FROM "+table+" WHERE environment = $1", r.env).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}
