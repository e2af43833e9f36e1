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
		buckets:  make(map[uint16]*bucket, len(facts)),
		people:   s.people.change(),
		secrets:  s.secrets.change(),
		blocking: newBlocking(s.blocks.Load()),
		peppers:  s.peppers.Load(), grownPeppers: s.peppers.Load(),
		fleet: s.fleet.Load(),
		tree:  s.tree.Clone(),
	}
	var m merging
	for at, edits := range byBucket(facts) {
		if err := m.merge(c, at, edits); err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
	}
	c.people.finish()
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

// merging lends memory for lines from one bucket to the next.
type merging struct{ old, new []line }

// merge makes a bucket anew, out of the entries it has and the edits.
func (m *merging) merge(c *Change, at uint16, edits []fact) error {
	m.old, m.new = c.target.buckets[at].Load().lines(m.old[:0]), m.new[:0]
	old := m.old
	for i := range edits {
		f := &edits[i]
		before, found := slices.BinarySearchFunc(old, f.key, func(l line, key digest.Key) int {
			return c.target.people.keyOf(&l, at).Compare(key)
		})
		m.new, old = append(m.new, old[:before]...), old[before:]
		if found {
			c.take(&old[0], f.gone)
			old = old[1:]
		}
		if f.gone {
			continue
		}
		l, err := c.put(f)
		if err != nil {
			return err
		}
		m.new = append(m.new, l)
	}
	m.new = append(m.new, old...)
	if len(m.new) > maxRecords {
		return fmt.Errorf("%w: %d in one bucket, at most %d", ErrTooMany, len(m.new), maxRecords)
	}
	c.buckets[at] = newBucket(m.new)
	c.tree.Set(at, sumOf(m.new))
	return nil
}

// take forgets an entry: for good, or because another takes its place, in which case what it stands
// for is replaced by put.
func (c *Change) take(l *line, gone bool) {
	c.after.counts.add(l.kind, -1)
	if l.kind == kindBlock {
		c.blocking.remove(l.odd.target(), l.odd.id) // what takes its place may be about somebody else
		return
	}
	if !gone {
		return
	}
	switch l.kind {
	case kindConsumer:
		c.people.remove(l.number)
	case kindSecret:
		c.secrets.remove(l.odd.id)
	case kindPepper:
		c.peppers = c.peppers.without(binary.BigEndian.Uint32(l.odd.id[len(l.odd.id)-4:]))
	case kindFleet:
		c.fleet = nil
	case kindKey, kindBlock:
	}
}

// put adds what a fact tells and returns its line.
func (c *Change) put(f *fact) (line, error) {
	c.after.counts.add(f.kind, 1)
	r, err := c.target.record(f)
	if err != nil {
		return line{}, err
	}
	number := uint32(0)
	switch f.kind {
	case kindConsumer:
		number, err = c.people.put(&f.consumer)
	case kindSecret:
		c.secrets.put(f.id, f.secret)
	case kindPepper:
		c.peppers = c.peppers.with(f.version, f.pepper)
		c.grownPeppers = c.grownPeppers.with(f.version, f.pepper)
	case kindBlock:
		c.blocking.add(f.target, term{block: f.id, until: f.until})
	case kindFleet:
		c.fleet = f.fleet
	case kindKey:
		number, err = c.people.number(f.holder)
	}
	return r.line(f.hash, number), err
}

// record makes a fact's record, and interns its sets.
func (s *state) record(f *fact) (record, error) {
	r := record{key: f.key, id: f.id, kind: f.kind}
	switch f.kind {
	case kindBlock:
		r.consumer, r.expires = f.target.key, f.until
		r.detail = uint32(f.target.sort)<<8 | uint32(f.target.bits)
	case kindConsumer, kindSecret, kindPepper, kindFleet:
	case kindKey:
		var err error
		if r.detail, err = s.internAttributes(f); err != nil {
			return record{}, err
		}
		r.consumer, r.expires = f.holder, f.expires
	}
	return r, nil
}

// line returns a record's line; number is the one of the consumer that it is, or is of.
func (r *record) line(hash digest.Hash, number uint32) line {
	l := line{hash: hash, kind: r.kind}
	switch r.kind {
	case kindKey:
		l.tag, l.ends = tagOf(&r.key), r.expires
		l.record = keyRecord{rest: [restSize]byte(r.key[restFrom:]), id: r.id, holder: pack24(number), attributes: pack24(r.detail)}
	case kindConsumer:
		l.number = number
	case kindSecret, kindPepper, kindBlock, kindFleet:
		l.odd = r
	}
	return l
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
	case kindFleet: // there is one, or none
	}
}
