package directory

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/digest"
)

// state is all that the directory holds. A delta changes it bucket by bucket; a snapshot makes a
// new one, which takes its place as a whole.
type state struct {
	buckets   [digest.Buckets]atomic.Pointer[bucket] // all entries; nil: none
	people    people
	secrets   table[[]byte]
	passwords table[*Password] // by their entries' keys
	peppers   atomic.Pointer[peppers]
	blocks    atomic.Pointer[blocks] // nil: none
	fleet     atomic.Pointer[Fleet]
	tickets   atomic.Pointer[TicketKeys]
	identity  atomic.Pointer[IdentityKeys]
	keySets   atomic.Pointer[keySets] // nil: none
	scopes    interned[*scopes]       // the writer's; readers find them by their attributes
	addresses interned[*addresses]
	routes    interned[*routes]
	imported  atomic.Bool // there is, or was, a key that another system made

	attributes interned[attributes]
	head       atomic.Pointer[head]

	tree *digest.Tree // the writer's
	desk desk
}

// head is what the state is, as of its last commit.
type head struct {
	sequence uint64
	digest   digest.Sum
	counts   Counts
}

func newState() *state {
	s := &state{tree: new(digest.Tree)}
	s.scopes.begin()
	s.addresses.begin()
	s.routes.begin()
	s.attributes.begin()
	s.peppers.Store(new(peppers))
	return s
}
