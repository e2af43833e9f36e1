package issuers

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/token"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

// maxSeenGo bounds how many keys the node remembers that it saw go; the latest stay.
const maxSeenGo = 64

// Keys are an issuer's, as they are now. They live as long as where the issuer's keys come from stays the same, through all revisions. They are
// safe for concurrent use.
type Keys struct {
	issuer    id.ID
	name      string
	directory *directory.Directory
	log       *slog.Logger
	source    *source // where the node itself looks; nil: nowhere
	asks      bool    // the control plane is asked about keys that nobody knows

	good    atomic.Pointer[good]
	fetched atomic.Pointer[fetched] // nil: the node hasn't seen any
	making  sync.Mutex              // held by who makes good anew

	lost chan<- struct{} // hears when a key is good no more

	looking sync.Mutex
	look    look

	stats keyStats
}

// good is what was combined of the sources, and of which state of them.
type good struct {
	told    *directory.KeySet
	fetched *fetched
	set     *token.KeySet
	keys    []jwk.Key
}

// fetched is what the node itself saw last. It is immutable.
type fetched struct {
	keys []jwk.Key
	gone []token.Thumbprint // that it has seen before, the latest last
}

// Set returns the keys that are good now; nil: no source has ever said anything. It takes no lock unless they have changed.
func (k *Keys) Set() *token.KeySet { return k.now().set }

func (k *Keys) now() *good {
	told, seen := k.directory.KeySet(k.issuer), k.fetched.Load()
	if g := k.good.Load(); g != nil && g.told == told && g.fetched == seen {
		return g
	}
	return k.combine()
}

// combine makes the keys anew out of what the sources say.
func (k *Keys) combine() *good {
	k.making.Lock()
	defer k.making.Unlock()
	told, seen := k.directory.KeySet(k.issuer), k.fetched.Load()
	if g := k.good.Load(); g != nil && g.told == told && g.fetched == seen {
		return g
	}
	g := &good{told: told, fetched: seen}
	if told != nil || seen != nil {
		g.keys = k.usable(told, seen)
		g.set = token.NewKeySet(g.keys)
	}
	before := k.good.Swap(g)
	if before != nil && slices.ContainsFunc(before.keys, func(key jwk.Key) bool { return !g.set.Has(key.Thumbprint) }) {
		select {
		case k.lost <- struct{}{}:
		default: // it is known already
		}
	}
	return g
}

// usable returns the keys that a source shows and none has seen go.
func (k *Keys) usable(told *directory.KeySet, seen *fetched) []jwk.Key {
	gone := map[token.Thumbprint]bool{}
	var shown []jwk.Key
	if told != nil {
		for i := range told.Retired {
			gone[told.Retired[i].Thumbprint] = true
		}
		for i, text := range told.Keys {
			key, err := jwk.Parse(text)
			if err != nil { // a control plane that is newer than the node takes keys that the node can't use
				k.log.Warn("a key of an issuer can't be used by this build", "issuer", id.Text(id.Issuer, k.issuer), "key", i, "error", err)
				continue
			}
			shown = append(shown, key)
		}
	}
	if seen != nil {
		for _, one := range seen.gone {
			gone[one] = true
		}
		shown = append(shown, seen.keys...)
	}
	type identity struct {
		thumbprint    token.Thumbprint
		id, algorithm string
	}
	known := map[identity]bool{}
	keys := make([]jwk.Key, 0, len(shown))
	for _, key := range shown {
		same := identity{key.Thumbprint, key.ID, key.Algorithm}
		if gone[key.Thumbprint] || known[same] {
			continue
		}
		known[same] = true
		keys = append(keys, key)
	}
	return keys
}

// saw takes over what the node itself was shown, and tells whether that changes anything.
func (k *Keys) saw(keys []jwk.Key) {
	before := k.fetched.Load()
	next := &fetched{keys: keys}
	is := map[token.Thumbprint]bool{}
	for i := range keys {
		is[keys[i].Thumbprint] = true
	}
	if before != nil {
		for _, one := range before.gone {
			if !is[one] {
				next.gone = append(next.gone, one)
			}
		}
		for i := range before.keys {
			if one := before.keys[i].Thumbprint; !is[one] {
				next.gone = append(next.gone, one)
				is[one] = true
			}
		}
		next.gone = next.gone[max(len(next.gone)-maxSeenGo, 0):]
		if before.equal(next) {
			return // what was combined stays
		}
	}
	k.fetched.Store(next)
}

func (f *fetched) equal(other *fetched) bool {
	if len(f.keys) != len(other.keys) || len(f.gone) != len(other.gone) {
		return false
	}
	for i := range f.keys {
		a, b := &f.keys[i], &other.keys[i]
		if a.Thumbprint != b.Thumbprint || a.ID != b.ID || a.Algorithm != b.Algorithm {
			return false
		}
	}
	for i := range f.gone {
		if f.gone[i] != other.gone[i] {
			return false
		}
	}
	return true
}

// keyStats counts what came of looking for keys.
type keyStats struct {
	unknown, putOff, asked, askFailed, fetched, fetchFailed atomic.Uint64
	fetchedAt                                               atomic.Int64 // milliseconds since 1970; 0: never
}

// KeyStats is how an issuer's keys are, and what came of looking for them.
type KeyStats struct {
	Issuer id.ID
	Name   string
	// Good is how many keys there are.
	Good int
	// Unknown counts tokens that named a key that nobody knew; PutOff those of them for which nobody was asked, since somebody just was.
	Unknown, PutOff uint64
	// Asked and AskFailed count questions to the control plane, Fetched and FetchFailed those to the issuer itself.
	Asked, AskFailed, Fetched, FetchFailed uint64
	// FetchedAt is when the node last had keys from the issuer itself; zero: never.
	FetchedAt time.Time
}

func (k *Keys) read() KeyStats {
	s := KeyStats{
		Issuer: k.issuer, Name: k.name, Good: k.Set().Len(),
		Unknown: k.stats.unknown.Load(), PutOff: k.stats.putOff.Load(),
		Asked: k.stats.asked.Load(), AskFailed: k.stats.askFailed.Load(), Fetched: k.stats.fetched.Load(), FetchFailed: k.stats.fetchFailed.Load(),
	}
	if at := k.stats.fetchedAt.Load(); at != 0 {
		s.FetchedAt = time.UnixMilli(at)
	}
	return s
}
