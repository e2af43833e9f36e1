package directory

import (
	"errors"

	"github.com/sallyport/sallyport/proto/digest"
)

// ErrStale is returned for a change that was prepared before another one was committed.
var ErrStale = errors.New("the directory has changed since this change was prepared")

// Change is what Prepare or PrepareSnapshot made: complete, and in force once it is committed. It
// is committed at most once; one that isn't is simply dropped.
type Change struct {
	target *state // whose buckets it changes; of a snapshot the state that takes over
	before *head  // what it was prepared against
	after  head   // less the sequence

	buckets      map[uint16]*bucket // nil in a snapshot, which is whole already
	people       *peopleChange
	secrets      *tableChange[[]byte]
	passwords    *tableChange[*Password]
	blocking     *blocking
	grownPeppers *peppers
	peppers      *peppers
	fleet        *Fleet
	tickets      *TicketKeys
	identity     *IdentityKeys
	keySets      *keySets
	tree         *digest.Tree
}

// Digest returns the digest of all entries as they will be.
func (c *Change) Digest() digest.Sum { return c.after.digest }

// Counts returns the number of entries as they will be.
func (c *Change) Counts() Counts { return c.after.counts }

// Commit puts a change in force, as the state at the sequence. It swaps pointers and can't fail but
// with ErrStale.
func (d *Directory) Commit(c *Change, sequence uint64) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.state.Load().head.Load() != c.before {
		return ErrStale
	}
	after := c.after
	after.sequence = sequence
	if c.buckets == nil {
		c.target.head.Store(&after)
		d.state.Store(c.target)
		return nil
	}
	c.swap()
	c.target.head.Store(&after)
	if c.target.people.count > c.target.people.room {
		d.state.Store(c.target.renumbered())
	}
	return nil
}

// swap adds what keys refer to, then changes the keys, then removes what they referred to.
func (c *Change) swap() {
	s := c.target
	s.attributes.publish()
	s.peppers.Store(c.grownPeppers)
	c.blocking.grow(s)
	c.people.grow()
	c.secrets.grow()
	c.passwords.grow()
	for at, b := range c.buckets {
		s.buckets[at].Store(b)
	}
	c.people.shrink()
	c.secrets.shrink()
	c.passwords.shrink()
	c.blocking.shrink(s)
	s.peppers.Store(c.peppers)
	s.fleet.Store(c.fleet)
	s.tickets.Store(c.tickets)
	s.identity.Store(c.identity)
	s.keySets.Store(c.keySets)
	s.tree = c.tree
}
