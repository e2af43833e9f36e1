package directory

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// names are the numbers of consumers by name, in the scheme of people's rows: 6 bytes a consumer, since the name itself is in their slot. The
// zero value is empty.
type names struct {
	rows [tableBuckets]atomic.Pointer[numbers] // nil: none
}

// nameSeed keeps who names consumers from making many of them lie in one bucket.
var nameSeed = maphash.MakeSeed()

// namePlace returns where a name lies, and the tag that tells those of a bucket apart.
func namePlace(name string) (bucket, tag uint16) {
	all := maphash.String(nameSeed, name)
	return uint16(all >> 52), uint16(all >> 36)
}

// ConsumerNamed finds a consumer by name. It takes no lock and doesn't allocate.
func (d *Directory) ConsumerNamed(name string) (*Consumer, bool) {
	return d.state.Load().people.named(name)
}

func (p *people) named(name string) (*Consumer, bool) {
	if name == "" {
		return nil, false
	}
	at, tag := namePlace(name)
	b := p.names.rows[at].Load()
	if b == nil {
		return nil, false
	}
	chunks := *p.chunks.Load()
	for i := first(b.tags, tag); i < len(b.tags) && b.tags[i] == tag; i++ {
		if c := &chunks[chunkOf(b.numbers[i])].Load().slots[slotOf(b.numbers[i])]; c.Name == name {
			return c.present()
		}
	}
	return nil, false
}

// add names a number.
func (n *names) add(name string, number uint32) {
	at, tag := namePlace(name)
	if b := n.rows[at].Load(); b.place(tag, number) < 0 {
		n.rows[at].Store(b.with(tag, number))
	}
}

// remove takes a name from a number.
func (n *names) remove(name string, number uint32) {
	at, tag := namePlace(name)
	b := n.rows[at].Load()
	place := b.place(tag, number)
	switch {
	case place < 0:
	case len(b.tags) == 1:
		n.rows[at].Store(nil)
	default:
		n.rows[at].Store(&numbers{
			tags:    slices.Concat(b.tags[:place], b.tags[place+1:]),
			numbers: slices.Concat(b.numbers[:place], b.numbers[place+1:]),
		})
	}
}

// place returns where a number is behind a tag; -1: nowhere.
func (b *numbers) place(tag uint16, number uint32) int {
	if b == nil {
		return -1
	}
	for i := first(b.tags, tag); i < len(b.tags) && b.tags[i] == tag; i++ {
		if b.numbers[i] == number {
			return i
		}
	}
	return -1
}

// naming is what a change does to names: what a number is called from now on, and what it was called before.
type naming struct {
	number        uint32
	before, after string // "": nothing
}

// grow adds the names that come.
func (n *names) grow(changes []naming) {
	for _, c := range changes {
		if c.after != "" {
			n.add(c.after, c.number)
		}
	}
}

// shrink takes out those that go. A name that lies where the one that came does has left its place to it.
func (n *names) shrink(changes []naming) {
	for _, c := range changes {
		oldAt, oldTag := namePlace(c.before)
		newAt, newTag := namePlace(c.after)
		if c.before != "" && (c.after == "" || oldAt != newAt || oldTag != newTag) {
			n.remove(c.before, c.number)
		}
	}
}
