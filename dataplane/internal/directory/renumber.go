package directory

import "github.com/sallyport/sallyport/proto/digest"

// renumbered returns a state that holds the same, less the numbers of people who are gone and the sets that no key has any more. The
// state that it was made of may be read on, but takes no more changes.
func (s *state) renumbered() *state {
	n := &renumbering{from: s, to: newState(), numbers: map[uint32]uint32{}, attributes: map[uint32]uint32{}}
	n.to.secrets.take(&s.secrets)
	n.to.passwords.take(&s.passwords)
	n.to.peppers.Store(s.peppers.Load())
	n.to.blocks.Store(s.blocks.Load())
	n.to.fleet.Store(s.fleet.Load())
	n.to.tickets.Store(s.tickets.Load())
	n.to.identity.Store(s.identity.Load())
	n.to.keySets.Store(s.keySets.Load())
	n.to.tree = s.tree
	for at := range uint16(digest.Buckets) {
		l := &s.desk.before
		l.open(s.buckets[at].Load(), &s.people)
		for i := range l.all {
			n.line(&l.all[i])
		}
		n.to.buckets[at].Store(l.bucket())
	}
	n.people.publish(&n.to.people)
	n.to.attributes.publish()
	head := *s.head.Load() // another one: what was prepared for the state before is stale
	n.to.head.Store(&head)
	return n.to
}

// renumbering is a state on its way into another one. It maps numbers, and indices of attributes.
type renumbering struct {
	from, to            *state
	people              census
	numbers, attributes map[uint32]uint32
}

func (n *renumbering) line(l *line) {
	switch l.kind {
	case kindKey:
		l.number, l.attributes = n.number(l.number), n.attributesOf(l.attributes)
	case kindConsumer:
		l.number = n.number(l.number)
	case kindSecret, kindPepper, kindBlock, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys, kindKeySet:
	}
}

func (n *renumbering) number(before uint32) uint32 {
	number, known := n.numbers[before]
	if !known {
		number, _ = n.people.add(n.from.people.at(before)) // there were as many before
		n.numbers[before] = number
	}
	return number
}

func (n *renumbering) attributesOf(before uint32) uint32 {
	index, known := n.attributes[before]
	if before != 0 && !known {
		a := n.from.attributes.at(before)
		all := a
		all.scopeTexts = n.to.scopes.keep(&n.from.scopes, a.scopeTexts)
		all.addressTexts = n.to.addresses.keep(&n.from.addresses, a.addressTexts)
		all.routeTexts = n.to.routes.keep(&n.from.routes, a.routeTexts)
		index, _ = n.to.addAttributes(all) // there were as many before
		n.attributes[before] = index
	}
	return index
}
