package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// How long an answer of the DNS is believed, and what is done about those that don't come.
const (
	shortestTTL   = time.Second
	longestTTL    = 5 * time.Minute
	unknownTTL    = 10 * time.Second // of names that don't come from the DNS (/etc/hosts)
	lookupTimeout = 5 * time.Second
	lookupRetry   = 5 * time.Second
	warm          = 10 * time.Minute // that a name is kept fresh after the last connection was opened
	maxLookups    = 16               // at a time
	maxAddresses  = 64               // of a name
)

// names is where a target's host is.
type names struct {
	known   atomic.Pointer[known] // nil: nobody has asked, or not for long
	fixed   bool                  // it is an address itself
	dialled atomic.Int64          // when a connection was opened last, by the sweeper's clock
	turn    atomic.Uint32         // of the address to begin with

	lookup  sync.Mutex
	pending *lookup // nil: nobody looks it up
}

// known is what was found out. It doesn't change.
type known struct {
	addresses []netip.AddrPort // by preference (RFC 6724)
	preferred int              // how many of them are of the first one's family
	until     time.Time
}

// lookup is one question, and who waits for its answer.
type lookup struct {
	done  chan struct{}
	found *known
	err   error
}

var errNoAddress = errors.New("the name has no address")

// fix says that the target is at this address for good.
func (t *target) fix(address netip.AddrPort) {
	t.fixed = true
	t.known.Store(&known{addresses: []netip.AddrPort{address}, preferred: 1})
}

// resolve returns where the target is. Only who comes first, or after a long time, waits for the DNS.
func (t *target) resolve(ctx context.Context) (*known, error) {
	t.dialled.Store(t.registry.cfg.Sweeper.Now().UnixNano())
	if k := t.known.Load(); k != nil {
		return k, nil
	}
	pending, mine := t.join()
	if mine { // others may wait for it too, and longer
		t.registry.lookups.running.Go(func() { t.ask(context.WithoutCancel(ctx), pending) })
	}
	select {
	case <-pending.done:
		return pending.found, pending.err
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // says what
	}
}

// join returns the question that is under way, or a new one, which is the caller's to ask.
func (t *target) join() (pending *lookup, mine bool) {
	t.lookup.Lock()
	defer t.lookup.Unlock()
	if t.pending != nil {
		return t.pending, false
	}
	t.pending = &lookup{done: make(chan struct{})}
	return t.pending, true
}

// ask asks the DNS and tells all who wait. What was known stays if there is no answer.
func (t *target) ask(ctx context.Context, pending *lookup) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	before := t.known.Load()
	found, ttl, err := t.registry.lookUp(ctx, t.host, t.port)
	switch {
	case err == nil:
		found.until = t.registry.cfg.Sweeper.Now().Add(ttl)
	case before != nil:
		t.counts.lookupsFailed.Add(1)
		t.registry.cfg.Logger.Warn("a target's name can't be resolved: its last addresses stay in use", "target", t.key.address, "error", err.Error())
		found = &known{addresses: before.addresses, preferred: before.preferred, until: t.registry.cfg.Sweeper.Now().Add(lookupRetry)}
	default:
		t.counts.lookupsFailed.Add(1)
	}
	pending.found, pending.err = found, err
	if found != nil {
		t.known.Store(found)
		t.leave(found.addresses)
	}
	t.lookup.Lock()
	t.pending = nil
	t.lookup.Unlock()
	close(pending.done)
}

// resolveDue tells whether the name is to be asked for anew. Names that nobody needs any more are forgotten.
func (t *target) resolveDue(now time.Time) bool {
	k := t.known.Load()
	if t.fixed || k == nil || now.Before(k.until) {
		return false
	}
	if t.open.Load() == 0 && now.Sub(time.Unix(0, t.dialled.Load())) > warm {
		t.known.CompareAndSwap(k, nil)
		return false
	}
	return true
}

// lookups are those under way. Each ends by its own deadline.
type lookups struct {
	running sync.WaitGroup
	count   atomic.Int32 // of names that are known
}

// start asks for a name that is known, off the path of any request, unless somebody does, or too many names are asked for: then it is due at the next round still.
func (l *lookups) start(ctx context.Context, t *target) {
	if l.count.Load() >= maxLookups {
		return
	}
	pending, mine := t.join()
	if !mine {
		return
	}
	l.count.Add(1)
	l.running.Go(func() {
		defer l.count.Add(-1)
		t.ask(ctx, pending)
	})
}

func (l *lookups) wait() { l.running.Wait() }

// lookUp asks the resolver of Go, which knows /etc/resolv.conf, /etc/hosts and how to ask again, and looks over its shoulder for
// how long the answer may be believed.
func (r *Registry) lookUp(ctx context.Context, host string, port uint16) (*known, time.Duration, error) {
	var seen lifetimes
	dial := r.cfg.DialDNS
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if udp, ok := conn.(*net.UDPConn); ok {
			return packets{udp, &seen}, nil
		}
		return stream{conn, &seen}, nil
	}}
	found, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, 0, fmt.Errorf("resolve %s: %w", host, err)
	}
	k := new(known)
	for _, ip := range found[:min(len(found), maxAddresses)] {
		if address := netip.AddrPortFrom(ip.Unmap(), port); !slices.Contains(k.addresses, address) {
			k.addresses = append(k.addresses, address)
		}
	}
	if len(k.addresses) == 0 {
		return nil, 0, fmt.Errorf("resolve %s: %w", host, errNoAddress)
	}
	for k.preferred < len(k.addresses) && k.addresses[k.preferred].Addr().Is4() == k.addresses[0].Addr().Is4() {
		k.preferred++
	}
	return k, seen.shortest(), nil
}

// inTurn returns the addresses in the order to try them in: those of the preferred family begin at another one each time.
func (k *known) inTurn(turn uint32) []netip.AddrPort {
	if k.preferred < 2 {
		return k.addresses
	}
	at := int(turn % uint32(k.preferred))
	return slices.Concat(k.addresses[at:k.preferred], k.addresses[:at], k.addresses[k.preferred:])
}

// lifetimes notes how long the answers to one question may be believed.
type lifetimes struct {
	mu   sync.Mutex
	some bool
	ttl  uint32
}

func (l *lifetimes) shortest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.some {
		return unknownTTL
	}
	return min(max(time.Duration(l.ttl)*time.Second, shortestTTL), longestTTL)
}

// read looks at what a name server said; what isn't a whole message says nothing.
func (l *lifetimes) read(message []byte) {
	var p dnsmessage.Parser
	if _, err := p.Start(message); err != nil || p.SkipAllQuestions() != nil {
		return
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil {
			return
		}
		l.mu.Lock()
		if !l.some || h.TTL < l.ttl {
			l.some, l.ttl = true, h.TTL
		}
		l.mu.Unlock()
		if p.SkipAnswer() != nil {
			return
		}
	}
}

// packets is a connection to a name server over UDP.
type packets struct {
	*net.UDPConn

	seen *lifetimes
}

// Read implements net.Conn.
func (c packets) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	c.seen.read(p[:n])
	return n, err //nolint:wrapcheck // net's own words
}

// stream is a connection to a name server over TCP.
type stream struct {
	net.Conn

	seen *lifetimes
}

// Read implements net.Conn.
func (c stream) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.read(p[:n])
	return n, err //nolint:wrapcheck // net's own words
}
