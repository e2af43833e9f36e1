package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// firstPause and longestPause are how long accepting rests after it has failed: for want of file descriptors, mostly.
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// accept takes connections until the listener is closed. nil: it was closed since the engine has stopped.
func (e *engine) accept(from net.Listener, secure *tls.Config) error {
	pause := firstPause
	for {
		accepted, err := from.Accept()
		switch {
		case err == nil:
			pause = firstPause
			e.admit(accepted, secure)
		case e.stopped.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serve clients: %w", err)
		default:
			e.counters.refuse(refusedByAccept)
			e.log.Warn("a connection could not be accepted", "error", err.Error(), "pause", pause.String())
			rest := time.NewTimer(pause)
			<-rest.C
			pause = min(2*pause, longestPause)
		}
	}
}

// admit serves a connection unless there are too many.
func (e *engine) admit(accepted net.Conn, secure *tls.Config) {
	if most := e.limits().MaxConnections; most > 0 && e.open.Load() >= int64(most) {
		e.counters.refuse(refusedByLimit)
		_ = accepted.Close() // nobody to tell
		return
	}
	c := newConn(e, accepted)
	if e.introduce == nil && !e.admitAddress(c) {
		e.sweeper.Remove(&c.timer)
		_ = accepted.Close() // as above
		return
	}
	e.remember(c)
	go c.serve(secure)
}

// admitAddress counts a connection for its client's address; false: that has too many.
func (e *engine) admitAddress(c *conn) bool {
	most := e.limits().MaxConnectionsPerAddress
	if most <= 0 {
		return true
	}
	of := addressKey(addressOf(c.conn).Addr())
	if !e.addresses.enter(of, most) {
		e.counters.refuse(refusedByAddress)
		return false
	}
	c.place.address = of
	return true
}

// address is whom connections are counted for: an address, of IPv6 the network of one site, within which a client has any number of them.
type address struct{ netip.Prefix }

func addressKey(of netip.Addr) address {
	const site = 64
	bits := of.BitLen()
	if of.Is6() {
		bits = site
	}
	prefix, err := of.Prefix(bits)
	if err != nil {
		return address{} // it has none, as in tests
	}
	return address{prefix}
}

const addressShards = 64

// addresses counts connections by whom they are from.
type addresses struct {
	shards [addressShards]struct {
		mu   sync.Mutex
		open map[address]int
	}
}

// enter counts one more; false: there are too many.
func (a *addresses) enter(of address, most int) bool {
	if !of.IsValid() {
		return true
	}
	at := &a.shards[of.shard()]
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.open == nil {
		at.open = map[address]int{}
	}
	if at.open[of] >= most {
		return false
	}
	at.open[of]++
	return true
}

// leave counts one less, of an address that was counted.
func (a *addresses) leave(of address) {
	if !of.IsValid() {
		return
	}
	at := &a.shards[of.shard()]
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.open[of]--; at.open[of] <= 0 {
		delete(at.open, of)
	}
}

// shard mixes the bytes of an address, in the lowest of which neighbours differ.
func (a address) shard() (mixed uint32) {
	for _, b := range a.Addr().As16() {
		mixed = mixed*31 + uint32(b)
	}
	return mixed % addressShards
}
