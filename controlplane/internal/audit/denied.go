package audit

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

const (
	// deniedQueue bounds what waits to be written of what was denied.
	deniedQueue = 1024
	// deniedAtOnce bounds one transaction.
	deniedAtOnce = 64
	// deniedTimeout bounds one write, and the last ones when the control plane stops.
	deniedTimeout = 5 * time.Second
	// deniedPause is between attempts to write.
	deniedPause = time.Second
	// guessWindow is how long bad tokens of one address are told together, guessAddresses how many addresses are told apart.
	guessWindow    = time.Minute
	guessAddresses = 1024
)

// Denied records what was denied, behind the answer: nobody waits for it, and guessing floods nothing.
type Denied struct {
	store Appender
	stats *Stats
	log   *slog.Logger
	now   func() time.Time
	queue chan *Draft

	mu      sync.Mutex
	guesses map[netip.Prefix]*guess
	unsaid  uint64 // denials that found the queue full
}

// Appender writes events in a transaction of their own.
type Appender interface {
	Append(ctx context.Context, drafts []*Draft) error
}

// guess is what came of bad tokens from one address since it was told last.
type guess struct {
	origin Origin
	code   string
	since  time.Time
	more   uint64
}

// NewDenied returns a recorder that writes while Run does.
func NewDenied(store Appender, log *slog.Logger, stats *Stats) *Denied {
	return &Denied{
		store: store, stats: stats, log: log, now: time.Now,
		queue: make(chan *Draft, deniedQueue), guesses: make(map[netip.Prefix]*guess),
	}
}

// Refused records that an operation was denied to somebody who is known; environment is the one that it was about, by id, "" if none.
func (d *Denied) Refused(origin Origin, environment, code, message string) {
	d.put(denial(origin, environment, code, message, 1))
}

// BadToken records that a token was presented that is none. The first of an address is told at once, what comes within a
// minute together.
func (d *Denied) BadToken(origin Origin, address netip.Addr, code, message string) {
	if d.counted(origin, neighbours(address), code) {
		return
	}
	d.put(denial(origin, "", code, message, 1))
}

// counted tells whether the attempt is one of those that are told together.
func (d *Denied) counted(origin Origin, from netip.Prefix, code string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.guesses[from]; !known && len(d.guesses) >= guessAddresses {
		from, origin.Address = netip.Prefix{}, "" // one cell for all that there is no room for
	}
	if g := d.guesses[from]; g != nil {
		g.more++
		return true
	}
	d.guesses[from] = &guess{origin: origin, code: code, since: d.now()}
	return false
}

func denial(origin Origin, environment, code, message string, attempts uint64) *Draft {
	return &Draft{origin: origin, chain: environment, environment: environment, outcome: OutcomeDenied, code: code, message: message, attempts: attempts}
}

func (d *Denied) put(draft *Draft) {
	select {
	case d.queue <- draft:
	default:
		d.stats.Unsaid.Add(1)
		d.mu.Lock()
		d.unsaid++
		d.mu.Unlock()
	}
}

// Run writes what is denied until ctx ends, and then what is left.
func (d *Denied) Run(ctx context.Context) error {
	tick := time.NewTicker(deniedPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.finish(context.WithoutCancel(ctx))
			return nil
		case first := <-d.queue:
			d.write(ctx, d.take(first))
		case <-tick.C:
			if due := d.due(d.now().Add(-guessWindow)); len(due) > 0 {
				d.write(ctx, due)
			}
		}
	}
}

// finish writes what is left, if the database takes it.
func (d *Denied) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, deniedTimeout)
	defer cancel()
	rest := d.due(d.now())
	for len(d.queue) > 0 {
		rest = append(rest, d.take(<-d.queue)...)
	}
	if len(rest) > 0 {
		d.write(ctx, rest)
	}
}

// take returns an event and those that wait behind it.
func (d *Denied) take(first *Draft) []*Draft {
	drafts := []*Draft{first}
	for len(drafts) < deniedAtOnce {
		select {
		case next := <-d.queue:
			drafts = append(drafts, next)
		default:
			return drafts
		}
	}
	return drafts
}

// due returns what is to be told together of attempts from before a time, and of those that found the queue full.
func (d *Denied) due(before time.Time) []*Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	var drafts []*Draft
	for from, g := range d.guesses {
		if g.since.After(before) {
			continue
		}
		if g.more > 0 {
			drafts = append(drafts, denial(g.origin, "", g.code, "more bad tokens from this address", g.more))
		}
		delete(d.guesses, from)
	}
	if d.unsaid > 0 {
		drafts = append(drafts, denial(Origin{Actor: System, Operation: "recordDenials"}, "", "", "denials that came faster than they could be recorded", d.unsaid))
		d.unsaid = 0
	}
	return drafts
}

// write writes events, each chain's in a transaction of its own, and tries again for as long as ctx lasts.
func (d *Denied) write(ctx context.Context, drafts []*Draft) {
	byChain := make(map[string][]*Draft)
	for _, draft := range drafts {
		byChain[draft.chain] = append(byChain[draft.chain], draft)
	}
	for _, some := range byChain {
		for failed := false; ; failed = true {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), deniedTimeout)
			err := d.store.Append(bounded, some)
			cancel()
			if err == nil {
				d.stats.Denied.Add(uint64(len(some)))
				break
			}
			if !failed {
				d.log.Error("what was denied can't be recorded; trying again", "events", len(some), "error", err)
			}
			select {
			case <-ctx.Done():
				d.stats.Unsaid.Add(uint64(len(some)))
				return
			case <-time.After(deniedPause):
			}
		}
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
		return netip.Prefix{} // the zero address
	}
	return prefix
}
