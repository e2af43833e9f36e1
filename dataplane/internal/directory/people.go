package directory

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/id"
)

// people are the consumers, and whoever API keys name without their being there. Each has a number, which is what keys' records hold of
// them: an id takes four times as much. The zero value is empty.
//
// A number is never given to another, so that no reader takes one for another; those of who is gone are taken back by renumbering once
// they are as many as all others.
type people struct {
	chunks atomic.Pointer[[]atomic.Pointer[chunk]]
	rows   [tableBuckets]atomic.Pointer[numbers] // by id; nil: none
	names  names
	count  uint32 // of the numbers given out; the writer's
	room   uint32 // how many may be given out before it is worth renumbering; the writer's
}

// numbers are those of a bucket of ids, in the order of tags.
type numbers struct {
	tags    []uint16
	numbers []uint32
}

// chunk is some people with successive numbers. It never changes once a reader may see it.
type chunk struct{ slots [slots]Consumer }

// slots are as many as fit into 8 KiB, the allocator's header included.
const (
	slots     = 204
	slotBits  = 8 // of a number: the place in a chunk
	maxChunks = 1 << (24 - slotBits)
)

// absent stands in the slot of whom the directory doesn't hold.
var absent = new(about)

// numberOf returns the number of the nth.
func numberOf(n uint32) uint32 { return n/slots<<slotBits | n%slots }

func chunkOf(number uint32) uint32 { return number >> slotBits }
func slotOf(number uint32) uint32  { return number & (1<<slotBits - 1) }

// at returns the slot of a number that was given out.
func (p *people) at(number uint32) *Consumer {
	return &(*p.chunks.Load())[chunkOf(number)].Load().slots[slotOf(number)]
}

// find returns the consumer with an id.
func (p *people) find(who id.ID) (*Consumer, bool) {
	c, _ := p.search(who)
	if c == nil {
		return nil, false
	}
	return c.present()
}

// known is find for who has a number at hand that was theirs.
func (p *people) known(who id.ID, number uint32) (*Consumer, bool) {
	if chunks := p.chunks.Load(); chunks != nil && int(chunkOf(number)) < len(*chunks) && slotOf(number) < slots {
		if c := (*chunks)[chunkOf(number)].Load(); c != nil && c.slots[slotOf(number)].ID == who {
			return c.slots[slotOf(number)].present()
		}
	}
	return p.find(who)
}

func (c *Consumer) present() (*Consumer, bool) {
	if c.about == absent {
		return nil, false
	}
	return c, true
}

// number returns the number of an id.
func (p *people) number(who id.ID) (uint32, bool) {
	c, number := p.search(who)
	return number, c != nil
}

// search returns the slot of an id and its number; nil: it has none.
func (p *people) search(who id.ID) (*Consumer, uint32) {
	at, tag := tablePlace(who)
	b := p.rows[at].Load()
	if b == nil {
		return nil, 0
	}
	chunks := *p.chunks.Load()
	for i := first(b.tags, tag); i < len(b.tags) && b.tags[i] == tag; i++ {
		number := b.numbers[i]
		if c := &chunks[chunkOf(number)].Load().slots[slotOf(number)]; c.ID == who {
			return c, number
		}
	}
	return nil, 0
}

// pack gives the names of a chunk one piece of memory.
func (c *chunk) pack() {
	var all strings.Builder
	size := 0
	for i := range c.slots {
		size += len(c.slots[i].Name)
	}
	all.Grow(size)
	for i := range c.slots {
		all.WriteString(c.slots[i].Name)
	}
	rest := all.String()
	for i := range c.slots {
		name := &c.slots[i].Name
		*name, rest = rest[:len(*name)], rest[len(*name):]
	}
}

// with returns the numbers and one more.
func (b *numbers) with(tag uint16, number uint32) *numbers {
	if b == nil {
		return &numbers{tags: []uint16{tag}, numbers: []uint32{number}}
	}
	at := first(b.tags, tag)
	after := &numbers{tags: make([]uint16, len(b.tags)+1), numbers: make([]uint32, len(b.numbers)+1)}
	copy(after.tags, b.tags[:at])
	copy(after.numbers, b.numbers[:at])
	after.tags[at], after.numbers[at] = tag, number
	copy(after.tags[at+1:], b.tags[at:])
	copy(after.numbers[at+1:], b.numbers[at:])
	return after
}

// peopleChange is a change of the people in the making. Chunks are copied when they are first touched.
type peopleChange struct {
	base    *people
	count   uint32
	fresh   map[id.ID]uint32
	touched map[uint32]*chunk // with who is added, before anybody is removed
	removed []uint32
	naming  []naming
}

func (p *people) change() *peopleChange {
	return &peopleChange{base: p, count: p.count, fresh: map[id.ID]uint32{}, touched: map[uint32]*chunk{}}
}

// number returns the number of an id, which need not be there.
func (c *peopleChange) number(who id.ID) (uint32, error) {
	if number, known := c.base.number(who); known {
		return number, nil
	}
	if number, known := c.fresh[who]; known {
		return number, nil
	}
	number := numberOf(c.count)
	if chunkOf(number) >= maxChunks {
		return 0, errTooManyPeople(c.count)
	}
	c.count++
	c.fresh[who] = number
	*c.slot(number) = Consumer{ID: who, about: absent}
	return number, nil
}

func errTooManyPeople(n uint32) error {
	return fmt.Errorf("%w: more than %d consumers, with those that keys name without their being there", ErrTooMany, n)
}

// slot returns a slot that may be written to.
func (c *peopleChange) slot(number uint32) *Consumer {
	at := chunkOf(number)
	touched := c.touched[at]
	if touched == nil {
		touched = c.base.chunk(at)
		c.touched[at] = touched
	}
	return &touched.slots[slotOf(number)]
}

// chunk returns a copy of a chunk, an empty one if there is none.
func (p *people) chunk(at uint32) *chunk {
	copied := new(chunk)
	if chunks := p.chunks.Load(); chunks != nil && int(at) < len(*chunks) {
		if c := (*chunks)[at].Load(); c != nil {
			*copied = *c
		}
	}
	return copied
}

// put adds a consumer or replaces them, and returns their number.
func (c *peopleChange) put(consumer *Consumer) (uint32, error) {
	number, err := c.number(consumer.ID)
	if err != nil {
		return 0, err
	}
	slot := c.slot(number)
	if slot.Name != consumer.Name {
		c.naming = append(c.naming, naming{number: number, before: slot.Name, after: consumer.Name})
	}
	*slot = *consumer
	return number, nil
}

// remove takes a consumer out, in the second step of the commit. Nobody is both put and removed.
func (c *peopleChange) remove(number uint32) {
	c.removed = append(c.removed, number)
	c.naming = append(c.naming, naming{number: number, before: c.base.at(number).Name})
}

// finish ends the making.
func (c *peopleChange) finish() {
	for _, touched := range c.touched {
		touched.pack()
	}
}

// grow puts what was added in force.
func (c *peopleChange) grow() {
	p := c.base
	if c.count > p.count {
		p.extend(chunkOf(numberOf(c.count-1)) + 1)
	}
	chunks := *p.chunksOrNone()
	for at, touched := range c.touched {
		chunks[at].Store(touched)
	}
	for who, number := range c.fresh {
		at, tag := tablePlace(who)
		p.rows[at].Store(p.rows[at].Load().with(tag, number))
	}
	p.names.grow(c.naming)
	p.count = c.count
}

// shrink then takes out who was removed. Their ids stay: keys may name them.
func (c *peopleChange) shrink() {
	left := &peopleChange{base: c.base, touched: map[uint32]*chunk{}}
	for _, number := range c.removed {
		slot := left.slot(number)
		*slot = Consumer{ID: slot.ID, about: absent}
	}
	left.finish()
	for at, touched := range left.touched {
		(*c.base.chunks.Load())[at].Store(touched)
	}
	c.base.names.shrink(c.naming)
}

func (p *people) chunksOrNone() *[]atomic.Pointer[chunk] {
	if chunks := p.chunks.Load(); chunks != nil {
		return chunks
	}
	return new([]atomic.Pointer[chunk])
}

// extend makes place for n chunks. Readers of the chunks as they were see nobody who is added later, as if they had read earlier.
func (p *people) extend(n uint32) {
	before := *p.chunksOrNone()
	if int(n) <= len(before) {
		return
	}
	after := make([]atomic.Pointer[chunk], n+n/8)
	for i := range before {
		after[i].Store(before[i].Load())
	}
	p.chunks.Store(&after)
}

// census are people in the making, from nobody.
type census struct {
	chunks []*chunk
	count  uint32
	rows   [tableBuckets][]uint64 // each a tag, and a number in the lower half
	names  [tableBuckets][]uint64 // the same, by name
}

// add gives somebody the next number.
func (c *census) add(who *Consumer) (uint32, error) {
	number := numberOf(c.count)
	if chunkOf(number) >= maxChunks {
		return 0, errTooManyPeople(c.count)
	}
	if int(chunkOf(number)) == len(c.chunks) {
		c.chunks = append(c.chunks, new(chunk))
	}
	last := c.chunks[chunkOf(number)]
	last.slots[slotOf(number)] = *who
	if slotOf(number) == slots-1 {
		last.pack()
	}
	c.count++
	at, tag := tablePlace(who.ID)
	c.rows[at] = append(c.rows[at], uint64(tag)<<32|uint64(number))
	if who.Name != "" {
		at, tag = namePlace(who.Name)
		c.names[at] = append(c.names[at], uint64(tag)<<32|uint64(number))
	}
	return number, nil
}

// publish makes people of a census, which counts nobody after that.
func (c *census) publish(p *people) {
	p.count, p.room = c.count, roomFor(c.count)
	if c.count == 0 {
		return
	}
	c.chunks[len(c.chunks)-1].pack()
	p.extend(uint32(len(c.chunks)))
	chunks := *p.chunks.Load()
	for i, made := range c.chunks {
		chunks[i].Store(made)
	}
	for at := range c.rows {
		p.rows[at].Store(newNumbers(c.rows[at]))
		p.names.rows[at].Store(newNumbers(c.names[at]))
	}
}

func newNumbers(rows []uint64) *numbers {
	if len(rows) == 0 {
		return nil
	}
	slices.Sort(rows)
	b := &numbers{tags: make([]uint16, len(rows)), numbers: make([]uint32, len(rows))}
	for i, row := range rows {
		b.tags[i], b.numbers[i] = uint16(row>>32), uint32(row)
	}
	return b
}

// roomFor says how many numbers may be given out before it is worth renumbering: that costs as much as a snapshot, and is paid for by as
// many numbers as there were.
func roomFor(count uint32) uint32 {
	const least = 1 << 16
	return 2*count + least
}
