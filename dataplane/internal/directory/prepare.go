package directory

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Prepare makes a change out of a delta, aside. Of several changes of one entry the last counts;
// taking out an entry that isn't there is none. Errors wrap ErrMalformed, ErrUnknownField,
// ErrKeyMismatch or ErrTooMany.
func (d *Directory) Prepare(changes []*edgev1.EntryChange) (*Change, error) {
	facts := make(map[digest.Key]fact, len(changes))
	for i, change := range changes {
		f, err := decode(change)
		if err != nil {
			return nil, fmt.Errorf("directory: change %d: %w", i, err)
		}
		facts[f.key] = f
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	return prepare(d.state.Load(), facts)
}

func prepare(s *state, facts map[digest.Key]fact) (*Change, error) {
	before := s.head.Load()
	c := &Change{
		target: s, before: before, after: *before,
		buckets:   make(map[uint16]*bucket, len(facts)),
		consumers: s.consumers.change(),
		secrets:   s.secrets.change(),
		blocking:  newBlocking(s.blocks.Load()),
		peppers:   s.peppers.Load(), grownPeppers: s.peppers.Load(),
		fleet: s.fleet.Load(), tickets: s.tickets.Load(),
		tree: s.tree.Clone(),
	}
	for at, edits := range byBucket(facts) {
		if err := c.merge(at, edits); err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
	}
	c.blocking.finish()
	c.after.digest = c.tree.Head()
	return c, nil
}

// byBucket sorts facts into buckets, and those by key.
func byBucket(facts map[digest.Key]fact) map[uint16][]fact {
	buckets := make(map[uint16][]fact, len(facts))
	for key, f := range facts {
		buckets[key.Bucket()] = append(buckets[key.Bucket()], f)
	}
	for _, edits := range buckets {
		slices.SortFunc(edits, func(a, b fact) int { return a.key.Compare(b.key) })
	}
	return buckets
}

// merge makes a bucket anew, out of the records it has and the edits.
func (c *Change) merge(at uint16, edits []fact) error {
	old, oldHashes := c.target.buckets[at].Load().content()
	records := make([]record, 0, len(old)+len(edits))
	hashes := make([]digest.Hash, 0, len(old)+len(edits))
	for i := 0; i < len(old) || len(edits) > 0; {
		if len(edits) == 0 || i < len(old) && old[i].key.Compare(edits[0].key) < 0 {
			records, hashes = append(records, old[i]), append(hashes, oldHashes[i])
			i++
			continue
		}
		if i < len(old) && old[i].key == edits[0].key {
			c.take(&old[i], edits[0].gone)
			i++
		}
		if f := &edits[0]; !f.gone {
			r, err := c.put(f)
			if err != nil {
				return err
			}
			records, hashes = append(records, r), append(hashes, f.hash)
		}
		edits = edits[1:]
	}
	if len(records) > maxRecords {
		return fmt.Errorf("%w: %d in one bucket, at most %d", ErrTooMany, len(records), maxRecords)
	}
	c.buckets[at] = newBucket(records, hashes)
	c.tree.Set(at, digest.BucketSum(hashes))
	return nil
}

// take forgets a record: for good, or because another takes its place, in which case what it stands
// for is replaced by put.
func (c *Change) take(r *record, gone bool) {
	c.after.counts.add(r.kind(), -1)
	if r.kind() == kindBlock {
		c.blocking.remove(r.target(), r.id) // what takes its place may be about somebody else
		return
	}
	if !gone {
		return
	}
	switch r.kind() {
	case kindConsumer:
		c.consumers.remove(r.id)
	case kindSecret:
		c.secrets.remove(r.id)
	case kindPepper:
		c.peppers = c.peppers.without(binary.BigEndian.Uint32(r.id[len(r.id)-4:]))
	case kindFleet:
		c.fleet = nil
	case kindTicketKeys:
		c.tickets = nil
	case kindKey, kindBlock:
	}
}

// put adds what a fact tells and returns its record.
func (c *Change) put(f *fact) (record, error) {
	c.after.counts.add(f.kind, 1)
	switch f.kind {
	case kindConsumer:
		c.consumers.put(f.id, f.consumer)
	case kindSecret:
		c.secrets.put(f.id, f.secret)
	case kindPepper:
		c.peppers = c.peppers.with(f.version, f.pepper)
		c.grownPeppers = c.grownPeppers.with(f.version, f.pepper)
	case kindBlock:
		c.blocking.add(f.target, term{block: f.id, until: f.until})
	case kindFleet:
		c.fleet = f.fleet
	case kindTicketKeys:
		c.tickets = f.tickets
	case kindKey:
	}
	return c.target.record(f)
}

// record makes a fact's record, and interns its sets.
func (s *state) record(f *fact) (record, error) {
	r := record{key: f.key, id: f.id, tail: uint32(f.kind)}
	switch f.kind {
	case kindBlock:
		r.consumer, r.expires = f.target.key, f.until
		r.scopes = uint32(f.target.sort)<<8 | uint32(f.target.bits)
		return r, nil
	case kindConsumer, kindSecret, kindPepper, kindFleet, kindTicketKeys:
		return r, nil
	case kindKey:
	}
	r.consumer = f.holder
	r.expires = f.expires
	r.scopes = s.internScopes(f.scopes)
	ranges := s.internAddresses(f)
	if ranges >= maxAddressSets {
		return record{}, fmt.Errorf("%w: %d different sets of addresses", ErrTooMany, ranges)
	}
	r.tail |= ranges << 8
	return r, nil
}

func (s *state) internScopes(content []byte) uint32 {
	if len(content) == 0 {
		return 0
	}
	return s.scopes.add(content, func() *scopes { return NewScopeSet(textsOf(content)...).set })
}

func (s *state) internAddresses(f *fact) uint32 {
	if len(f.addresses) == 0 {
		return 0
	}
	return s.addresses.add(f.addresses, func() *addresses { return NewAddressSet(f.ranges...).set })
}

func (c *Counts) add(k kind, n int) {
	switch k {
	case kindKey:
		c.Keys += n
	case kindConsumer:
		c.Consumers += n
	case kindSecret:
		c.Secrets += n
	case kindPepper:
		c.Peppers += n
	case kindBlock:
		c.Blocks += n
	case kindFleet, kindTicketKeys: // there is one, or none
	}
}
