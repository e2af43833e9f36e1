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
		buckets: make(map[uint16]*bucket, len(facts)),
		people:  s.people.change(),
		secrets: s.secrets.change(), passwords: s.passwords.change(),
		blocking: newBlocking(s.blocks.Load()),
		peppers:  s.peppers.Load(), grownPeppers: s.peppers.Load(),
		fleet: s.fleet.Load(), tickets: s.tickets.Load(), identity: s.identity.Load(), keySets: s.keySets.Load(),
		tree: s.tree.Clone(),
	}
	m := &s.desk
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

// desk is memory that the writer uses again and again.
type desk struct{ before, after lines }

// merge makes a bucket anew, out of the entries it has and the edits.
func (m *desk) merge(c *Change, at uint16, edits []fact) error {
	m.before.open(c.target.buckets[at].Load(), &c.target.people)
	old, all := m.before.all, m.after.all[:0]
	for i := range edits {
		f := &edits[i]
		before, found := c.target.people.place(old, f.key)
		all, old = append(all, old[:before]...), old[before:]
		if found {
			c.take(&old[0], f.gone)
			old = old[1:]
		}
		if f.gone {
			continue
		}
		all = append(all, line{})
		if err := c.put(f, &all[len(all)-1]); err != nil {
			return err
		}
	}
	all = append(all, old...)
	m.after.all = all
	if n := len(m.after.all); n > maxRecords {
		return fmt.Errorf("%w: %d in one bucket, at most %d", ErrTooMany, n, maxRecords)
	}
	c.buckets[at] = m.after.bucket()
	c.tree.Set(at, m.after.sum())
	return nil
}

// place returns where a key is or belongs among lines.
func (p *people) place(all []line, key digest.Key) (int, bool) {
	low, high := 0, len(all)
	for low < high {
		middle := (low + high) / 2
		switch of := p.keyOf(&all[middle], key.Bucket()); of.Compare(key) {
		case 0:
			return middle, true
		case -1:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false
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
	case kindPassword:
		c.passwords.remove(l.odd.id)
	case kindPepper:
		c.peppers = c.peppers.without(binary.BigEndian.Uint32(l.odd.id[len(l.odd.id)-4:]))
	case kindFleet:
		c.fleet = nil
	case kindTicketKeys:
		c.tickets = nil
	case kindIdentityKeys:
		c.identity = nil
	case kindKeySet:
		c.keySets = c.keySets.without(l.odd.id)
	case kindKey, kindBlock:
	}
}

// put adds what a fact tells and makes its line.
func (c *Change) put(f *fact, l *line) error {
	c.after.counts.add(f.kind, 1)
	r, err := c.target.record(f)
	if err != nil {
		return err
	}
	number := uint32(0)
	switch f.kind {
	case kindConsumer:
		number, err = c.people.put(&f.consumer)
	case kindSecret:
		c.secrets.put(f.id, f.secret)
	case kindPassword:
		c.passwords.put(f.id, f.password)
	case kindPepper:
		c.peppers = c.peppers.with(f.version, f.pepper)
		c.grownPeppers = c.grownPeppers.with(f.version, f.pepper)
	case kindBlock:
		c.blocking.add(f.target, term{block: f.id, until: f.until, issued: f.issued})
	case kindFleet:
		c.fleet = f.fleet
	case kindTicketKeys:
		c.tickets = f.tickets
	case kindIdentityKeys:
		c.identity = f.identity
	case kindKeySet:
		c.keySets = c.keySets.with(f.keySet)
	case kindKey:
		number, err = c.people.number(f.holder)
	}
	l.set(&r, f.hash, number)
	return err
}

// record makes a fact's record, and interns its sets.
func (s *state) record(f *fact) (record, error) {
	r := record{key: f.key, id: f.id, kind: f.kind, plain: f.plain}
	switch f.kind {
	case kindBlock:
		r.consumer, r.expires = f.target.key, f.until
		r.detail = uint32(f.target.sort)<<8 | uint32(f.target.bits)
	case kindConsumer, kindSecret, kindPepper, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys, kindKeySet:
	case kindKey:
		var err error
		if r.detail, err = s.internAttributes(f); err != nil {
			return record{}, err
		}
		r.consumer, r.expires = f.holder, f.expires
	}
	return r, nil
}

// set makes a line of a record; number is the one of the consumer that it is, or whom it names.
func (l *line) set(r *record, hash digest.Hash, number uint32) {
	*l = line{hash: hash, kind: r.kind, number: number, plain: r.plain}
	switch r.kind {
	case kindKey:
		l.tag, l.expires = tagOf(&r.key), r.expires
		l.rest, l.id, l.attributes = [restSize]byte(r.key[restFrom:]), r.id, r.detail
	case kindConsumer:
	case kindSecret, kindPepper, kindBlock, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys, kindKeySet:
		odd := *r
		l.odd = &odd
	}
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
	case kindPassword:
		c.Passwords += n
	case kindFleet, kindTicketKeys, kindIdentityKeys, kindKeySet: // one, or few
	}
}
