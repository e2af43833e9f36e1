package directory

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// Directory holds the entries of one environment. Its readers (Key, Password, Consumer, Secret, Peppers, TicketKeys, IdentityKeys,
// Admit, Denied, AddressBlocked, Head, Counts) may be called by any goroutine at any time; of its writers only one is at work at
// a time.
type Directory struct {
	state   atomic.Pointer[state]
	writing sync.Mutex // held by whoever changes or shows what there is
}

// Key is what is known of an API key.
type Key struct {
	// ID names the key in the API, logs and usage.
	ID id.ID
	// Scopes are what it may be used for.
	Scopes ScopeSet
	// ExpiresMs is when it ends, in milliseconds since 1970; 0: never.
	ExpiresMs int64
	// Addresses are what it is pinned to; empty: nothing.
	Addresses AddressSet
	// Routes are what it may be used for; empty: everything.
	Routes RouteSet

	people *people // whom it proves is one of them, found when somebody asks; nil: assumed is who it is
	number uint32
	marks  marks

	assumed id.ID
}

// Watched tells whether somebody wants to know from where the key is used.
func (k *Key) Watched() bool { return k.marks&markWatched != 0 }

// Consumer returns whom the key proves. The directory may not hold them.
func (k *Key) Consumer() id.ID {
	if k.people == nil {
		return k.assumed
	}
	return k.people.at(k.number).ID
}

// KeyOf returns a key that a consumer might have, for questions about what would be.
func KeyOf(consumer id.ID, scopes ScopeSet) Key { return Key{Scopes: scopes, assumed: consumer} }

// Consumer is who calls an API. It is immutable, its maps too.
type Consumer struct {
	ID    id.ID
	Name  string
	about *about // nil: nothing
}

// about is what is said of few consumers.
type about struct {
	labels, metadata map[string]string
	suspended        bool
}

// Labels are what policies tell consumers apart by. The map must not be changed.
func (c *Consumer) Labels() map[string]string {
	if c.about == nil {
		return nil
	}
	return c.about.labels
}

// Metadata is what headers may tell upstreams of a consumer. The map must not be changed.
func (c *Consumer) Metadata() map[string]string {
	if c.about == nil {
		return nil
	}
	return c.about.metadata
}

// Suspended tells whether the consumer is let in no more.
func (c *Consumer) Suspended() bool { return c.about != nil && c.about.suspended }

// Fleet is which nodes share what is limited over all of them. It is immutable.
type Fleet struct {
	Nodes []id.ID // ascending
}

// Rank returns a node's place among the fleet's.
func (f *Fleet) Rank(node id.ID) (int, bool) {
	return slices.BinarySearchFunc(f.Nodes, node, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
}

// Counts is how many entries of each sort the directory holds.
type Counts struct {
	Keys, Consumers, Secrets, Peppers, Blocks, Passwords int
}

// New returns an empty directory, at sequence 0.
func New() *Directory {
	d := new(Directory)
	empty := newState()
	empty.head.Store(&head{digest: empty.tree.Head()})
	d.state.Store(empty)
	return d
}

// Key finds an API key by its digest. It takes no lock and doesn't allocate. Digests are keyed with
// a pepper, so that what the search's timing tells of a stored one tells nothing of a key.
func (d *Directory) Key(sum apikey.Digest) (Key, bool) {
	s := d.state.Load()
	key := digest.Key(sum)
	b := s.buckets[key.Bucket()].Load()
	if b == nil {
		return Key{}, false
	}
	place := b.find(&key)
	if place < 0 {
		return Key{}, false
	}
	r := b.record(place)
	found := Key{ID: id.ID(r[idAt:]), people: &s.people, number: holderOf(r)}
	if b.ending {
		found.ExpiresMs = b.expires(place)
	}
	a := s.attributes.at(number(r[attributesAt:]))
	found.Scopes, found.Addresses, found.Routes, found.marks = ScopeSet{set: a.scopes}, AddressSet{set: a.addresses}, RouteSet{set: a.routes}, a.marks
	return found, true
}

// Imported tells whether there may be keys that other systems made: only then can a text that hasn't the form of a key be one. It takes no
// lock.
func (d *Directory) Imported() bool { return d.state.Load().imported.Load() }

// Consumer finds a consumer by id.
func (d *Directory) Consumer(consumer id.ID) (*Consumer, bool) {
	return d.state.Load().people.find(consumer)
}

// Secret finds secret material by id. The bytes are the directory's own and must not be changed.
func (d *Directory) Secret(secret id.ID) ([]byte, bool) {
	return d.state.Load().secrets.get(secret)
}

// Peppers returns what API keys may be digested with, newest first, at most three. The slice must
// not be changed.
func (d *Directory) Peppers() []*apikey.Pepper {
	return d.state.Load().peppers.Load().newest
}

// Fleet returns the nodes that limits of the whole fleet are shared among, the same pointer until that changes; nil when
// the directory doesn't say. It takes no lock.
func (d *Directory) Fleet() *Fleet { return d.state.Load().fleet.Load() }

// TicketKeys returns what TLS session tickets are sealed with, the same pointer until that changes; nil when the directory doesn't
// say. It takes no lock.
func (d *Directory) TicketKeys() *TicketKeys { return d.state.Load().tickets.Load() }

// IdentityKeys returns what identity tokens are signed with, the same pointer until that changes; nil when the directory doesn't say. It
// takes no lock.
func (d *Directory) IdentityKeys() *IdentityKeys { return d.state.Load().identity.Load() }

// Head returns the sequence that the directory is at, and the digest of all its entries.
func (d *Directory) Head() (sequence uint64, sum digest.Sum) {
	h := d.state.Load().head.Load()
	return h.sequence, h.digest
}

// Empty tells whether the directory was never filled: every environment has at least a pepper.
func (d *Directory) Empty() bool { return d.state.Load().head.Load().sequence == 0 }

// Counts returns the number of entries.
func (d *Directory) Counts() Counts { return d.state.Load().head.Load().counts }
