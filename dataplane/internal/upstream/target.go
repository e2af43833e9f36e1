package upstream

import (
	"crypto/tls"
	"math/bits"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// target is one host and port of a service, and all that is known of it: its addresses, its connections, how it fares.
type target struct {
	registry *Registry
	key      targetKey
	host     string
	port     uint16
	tls      *tls.Config // nil: in plain
	tlsError error       // why there is none

	pools   int // that have it; guarded by the registry
	dropped atomic.Bool

	names
	health health
	counts counts

	open     atomic.Int64 // connections, and those being opened
	shelves  []shelf      // a power of two
	mask     uint32
	perShelf int

	waiting atomic.Int32 // for a connection
	mu      sync.Mutex
	queue   []*waiter // first come, first
}

func newTarget(r *Registry, key targetKey) *target {
	t := &target{registry: r, key: key}
	host, port, _ := net.SplitHostPort(key.address) // the contract has seen to it
	number, _ := strconv.ParseUint(port, 10, 16)
	t.host, t.port = host, uint16(number)
	if ip, err := netip.ParseAddr(host); err == nil {
		t.fix(netip.AddrPortFrom(ip, t.port))
	}
	t.tls, t.tlsError = newTLS(key.tls, host, r.cfg.Certificate)
	const mostShelves = 64
	processors := min(runtime.GOMAXPROCS(0), mostShelves)
	t.shelves = make([]shelf, 1<<bits.Len(uint(processors-1)))
	t.mask = uint32(len(t.shelves) - 1)
	t.perShelf = max(idlePerTarget/len(t.shelves), leastIdleOnShelf)
	return t
}

// drop lets go of a target that no pool has any more. What requests still use is closed when they are done.
func (t *target) drop() {
	t.dropped.Store(true)
	t.closeIdle(func(*conn) bool { return true })
}

// reserve takes the place of one more connection, if there may be one.
func (t *target) reserve(most int) bool {
	for {
		open := t.open.Load()
		if most > 0 && open >= int64(most) {
			return false
		}
		if t.open.CompareAndSwap(open, open+1) {
			return true
		}
	}
}

// unreserve gives a place back.
func (t *target) unreserve() {
	t.open.Add(-1)
	if t.waiting.Load() > 0 {
		t.wakeNext()
	}
}
