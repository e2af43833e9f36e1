package signin

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

// How many sign-ins may fail: of an address at once and then one in a while, and of an account.
const (
	addressBurst    = 30
	addressInterval = time.Second
	accountBurst    = 10
	accountInterval = time.Minute
	// throttleCells bounds the memory of each kind: what was tried longest ago is forgotten first.
	throttleCells = 8192
)

// Throttle slows guessing of passwords and codes down: per address (an IPv6 address counts with its /64) and per account, whether there is
// such an account or not. Who has signed in to an account from an address lately is counted apart from the others who try that account: a
// stranger who guesses doesn't lock them out. It is safe for concurrent use.
type Throttle struct {
	now func() time.Time

	mu        sync.Mutex
	addresses *lru.LRU[netip.Prefix, time.Time] // when all failures will be forgiven
	accounts  *lru.LRU[accountCell, time.Time]
	familiar  *lru.LRU[accountCell, struct{}]
}

// accountCell is an account, tried from wherever or (with an address) from where its owner has been.
type accountCell struct {
	account [sha256.Size]byte
	from    netip.Prefix
}

// NewThrottle returns a Throttle that has seen no failure.
func NewThrottle() *Throttle {
	return &Throttle{
		now: time.Now, addresses: newCells[netip.Prefix, time.Time](), accounts: newCells[accountCell, time.Time](),
		familiar: newCells[accountCell, struct{}](),
	}
}

func newCells[K comparable, V any]() *lru.LRU[K, V] {
	cells, err := lru.NewLRU[K, V](throttleCells, nil)
	if err != nil {
		panic(err) // only a size below 1 does that
	}
	return cells
}

// Try counts an attempt as if it had failed, so that many at once are no more than many in a row; or returns how long to wait instead.
// passed takes it back, and remembers the address as the account's. Of no account ("") the address alone counts.
func (t *Throttle) Try(address netip.Addr, account string) (passed func(), wait time.Duration) {
	now, from := t.now(), neighbours(address)
	stranger := accountCell{account: sha256.Sum256([]byte(strings.ToLower(account)))}
	friend := accountCell{account: stranger.account, from: from}
	t.mu.Lock()
	defer t.mu.Unlock()
	cell := stranger
	if t.familiar.Contains(friend) {
		cell = friend
	}
	byAddress, waitAddress := charged(t.addresses, from, now, addressBurst, addressInterval)
	byAccount, waitAccount := charged(t.accounts, cell, now, accountBurst, accountInterval)
	if account == "" {
		waitAccount = 0
	}
	if wait := max(waitAddress, waitAccount); wait > 0 {
		return nil, wait
	}
	t.addresses.Add(from, byAddress)
	if account != "" {
		t.accounts.Add(cell, byAccount)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		forgive(t.addresses, from, addressInterval)
		if account != "" {
			forgive(t.accounts, cell, accountInterval)
			t.familiar.Add(friend, struct{}{})
		}
	}, 0
}

// charged returns when all of a cell will be forgiven with one failure more, or how long to wait for that.
func charged[K comparable](cells *lru.LRU[K, time.Time], key K, now time.Time, burst int, interval time.Duration) (time.Time, time.Duration) {
	forgiven, ok := cells.Peek(key)
	if !ok || forgiven.Before(now) {
		forgiven = now
	}
	forgiven = forgiven.Add(interval)
	return forgiven, max(0, forgiven.Sub(now)-time.Duration(burst)*interval)
}

func forgive[K comparable](cells *lru.LRU[K, time.Time], key K, interval time.Duration) {
	if forgiven, ok := cells.Peek(key); ok {
		cells.Add(key, forgiven.Add(-interval))
	}
}

// neighbours returns the range that one caller can choose its address in.
func neighbours(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero address: one cell for all that have none
	}
	return prefix
}
