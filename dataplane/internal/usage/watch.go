package usage

import (
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/proto/id"
)

const (
	// tellAgain is how long, in milliseconds, an address that a watched credential was told of from isn't told of again.
	tellAgain = 5 * msPerMinute
	// watchedPairs bounds the pairs of credential and address that are remembered.
	watchedPairs = 4096
)

// watch remembers from where watched credentials were used, so that each address is told of, and a busy one not all the time. Requests with
// other credentials don't come here.
type watch struct {
	mu   sync.Mutex
	told map[sighting]int64 // when, in milliseconds since 1970
}

type sighting struct {
	credential id.ID
	client     netip.Addr
}

// news tells whether a request is the first in a while by its credential from its address. What can't be remembered any more is told again:
// once there is no room all of it is forgotten.
func (w *watch) news(q *Request) bool {
	seen := sighting{credential: q.Credential, client: q.Client}
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, known := w.told[seen]; known && q.TimeMs-last < tellAgain && q.TimeMs >= last {
		return false
	}
	if w.told == nil || len(w.told) >= watchedPairs {
		w.told = make(map[sighting]int64)
	}
	w.told[seen] = q.TimeMs
	return true
}
