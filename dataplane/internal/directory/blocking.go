package directory

import (
	"slices"

	"github.com/sallyport/sallyport/proto/id"
)

// blocking is a change of the blocks in the making.
type blocking struct {
	base   *blocks // nil: none
	staged map[target][]term

	grown, after *blocks // with what is added, before anything is taken out; as they will be
	changes      []*tableChange[[]term]
	counts       map[*targets]int
}

func newBlocking(base *blocks) *blocking {
	return &blocking{base: base, staged: map[target][]term{}, grown: base, after: base}
}

// add names a target, remove takes a block's term away.
func (c *blocking) add(t target, m term) { c.staged[t] = append(c.terms(t), m) }

func (c *blocking) remove(t target, block id.ID) {
	c.staged[t] = slices.DeleteFunc(c.terms(t), func(m term) bool { return m.block == block })
}

// terms returns a target's terms as the change leaves them so far, for the caller to write to.
func (c *blocking) terms(t target) []term {
	if staged, ok := c.staged[t]; ok {
		return staged
	}
	if m := c.base.of(t.sort, t.bits); m != nil {
		found, _ := m.get(t.key)
		return slices.Clone(found)
	}
	return nil
}

// finish makes the tables' changes out of what is staged. Nobody sees them before grow.
func (c *blocking) finish() {
	if len(c.staged) == 0 {
		return
	}
	type part struct {
		sort targetSort
		bits uint8
	}
	touched := map[part]*tableChange[[]term]{}
	tables := map[part]*targets{}
	c.counts = map[*targets]int{}
	for t, staged := range c.staged {
		p := part{t.sort, t.bits}
		if tables[p] == nil {
			if tables[p] = c.base.of(t.sort, t.bits); tables[p] == nil {
				tables[p] = new(targets)
			}
			touched[p] = tables[p].change()
			c.counts[tables[p]] = tables[p].n
		}
		_, had := tables[p].get(t.key)
		switch {
		case len(staged) > 0:
			touched[p].put(t.key, slices.Clip(staged))
			if !had {
				c.counts[tables[p]]++
			}
		case had:
			touched[p].remove(t.key)
			c.counts[tables[p]]--
		}
	}
	var grown, after blocks
	if c.base != nil {
		grown, after = *c.base, *c.base
	}
	for p, table := range tables {
		c.changes = append(c.changes, touched[p])
		if c.counts[table] == 0 {
			after = after.with(p.sort, p.bits, nil)
			continue
		}
		grown, after = grown.with(p.sort, p.bits, table), after.with(p.sort, p.bits, table)
	}
	c.grown, c.after = grown.orNil(), after.orNil()
}

// grow puts what was added in force.
func (c *blocking) grow(s *state) {
	for _, change := range c.changes {
		change.grow()
	}
	s.blocks.Store(c.grown)
}

// shrink then takes out what was removed.
func (c *blocking) shrink(s *state) {
	for _, change := range c.changes {
		change.shrink()
	}
	for table, n := range c.counts {
		table.n = n
	}
	s.blocks.Store(c.after)
}
