package directory

import (
	"cmp"
	"slices"

	"github.com/sallyport/sallyport/proto/apikey"
)

// maxPeppers is how many peppers a key is tried with. Rotating one keeps the ones before until the
// keys made with them are gone; more than three would make every wrong key dear.
const maxPeppers = 3

// peppers is an immutable list. All are kept, since each is an entry; the newest are used.
type peppers struct {
	all    []versioned // newest first
	newest []*apikey.Pepper
}

type versioned struct {
	version uint32
	pepper  *apikey.Pepper
}

// with returns the list with one more pepper, which takes the place of another of its version.
func (p *peppers) with(version uint32, pepper *apikey.Pepper) *peppers {
	all := slices.Concat(p.without(version).all, []versioned{{version: version, pepper: pepper}})
	slices.SortFunc(all, func(a, b versioned) int { return cmp.Compare(b.version, a.version) })
	return newPeppers(all)
}

// without returns the list less one pepper.
func (p *peppers) without(version uint32) *peppers {
	all := make([]versioned, 0, len(p.all))
	for _, v := range p.all {
		if v.version != version {
			all = append(all, v)
		}
	}
	return newPeppers(all)
}

func newPeppers(all []versioned) *peppers {
	p := &peppers{all: all}
	for _, v := range all[:min(len(all), maxPeppers)] {
		p.newest = append(p.newest, v.pepper)
	}
	return p
}
