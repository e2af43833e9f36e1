package effort

import (
	"cmp"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

// Config is what a Meter is made from. The zero value of each is its default.
type Config struct {
	// Turns is how many pieces are at work at once: at least 2; default: as many as the node has processors.
	Turns int
	// Queue is how many wait for one; default 256.
	Queue int
	// Share of the node's processors that inspections may take in the long run, up to 1; default 0.8.
	Share float64
	// Patience is how long a turn is waited for; default 5 s.
	Patience time.Duration
	// Callers is how many addresses and credentials are remembered, at some 100 bytes each; default 65,536.
	Callers int
	// Processors that the node has; default: what Go's runtime takes for them.
	Processors int
	// Clock tells the time; nil: time.Now.
	Clock func() time.Time
	// Spent tells how much of a processor the calling thread has had so far; nil: what the system says.
	Spent func() time.Duration
	// Widen is called once, with the first piece: so many more threads are to run beside each other. nil: nobody sees to it.
	Widen func(by int)
}

// Defaults of Config.
const (
	DefaultQueue = 256
	DefaultShare = 0.8

	defaultPatience = 5 * time.Second
	defaultCallers  = 1 << 16
	leastTurns      = 2 // a light one and a dear one
)

func (c *Config) complete() {
	c.Processors = max(cmp.Or(c.Processors, runtime.GOMAXPROCS(0)), 1)
	c.Turns = max(cmp.Or(c.Turns, c.Processors), leastTurns)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	c.Share = min(cmp.Or(c.Share, DefaultShare), 1)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Callers = cmp.Or(c.Callers, defaultCallers)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Spent == nil {
		c.Spent = threadTime
	}
	if c.Widen == nil {
		c.Widen = func(int) {}
	}
}

// Caller is whose inspections are metered together.
type Caller struct {
	// Address of the client. Those of an IPv6 /64 are one.
	Address netip.Addr
	// Credential that proved the caller; zero: none did, or a token of an issuer.
	Credential id.ID
	// Issuer of the token that proved the caller, and whom it is about: who has many tokens pays once. Zero: none did.
	Issuer  id.ID
	Subject string
	// Watch has cut called once nobody waits for the inspection any more, until it is released; an error says that nobody does already. nil: somebody
	// always does.
	Watch func(cut func()) (release func(), err error)
}

// Allowance is what a caller may cost, in time of a processor. What is used up comes back evenly, all of it within Refill. What isn't positive bounds nothing.
type Allowance struct {
	PerAddress, PerCredential, Refill time.Duration
}

var (
	// ErrBusy says that as many wait for their turn as may, or that the turn didn't come in time.
	ErrBusy = errors.New("as many inspections wait as may")
	// ErrGone says that nobody waits for the inspection any more.
	ErrGone = errors.New("nobody waits for the inspection")
)

// SpentError says that an allowance is used up.
type SpentError struct {
	// By is whose: "address", "credential" or "node".
	By string
	// Retry is when there is something of it again.
	Retry time.Duration
}

// Error implements error.
func (s *SpentError) Error() string {
	return "the time that inspections may cost is used up for the " + s.By
}

// Meter meters inspections. It is safe for concurrent use; nil meters and bounds nothing.
type Meter struct {
	cfg     Config
	callers *callers
	turns   *turns
	counts  counts
	widen   sync.Once
}

// New returns a meter of a node that has inspected nothing.
func New(cfg Config) *Meter {
	cfg.complete()
	m := &Meter{cfg: cfg, callers: newCallers(cfg.Callers)}
	m.turns = newTurns(cfg, &m.counts)
	return m
}

// Bounds of what counts as little.
const (
	// little is which part of an allowance nobody is refused for, whatever the node has spent, and which makes nobody's pieces dear.
	little = 1.0 / 20
	// lightBytes is how long a piece may be, head and body, and still look cheap: a browser's GET with large cookies, a form, JSON of 2 KB. The worst of
	// them cost some 130 ms, of which a newcomer's second makes its third a dear one.
	lightBytes = 4 << 10
	// behind is how many times as long as its pieces have cost lately a caller's next one is due later: who comes meanwhile and has cost nothing goes first.
	behind = 8
	// perByte is what a byte of somebody looks like of whom nothing is known: the Core Rule Set takes 0.1 to 40 µs.
	perByte = 4 * time.Microsecond
)

// Spent tells whether a caller has no time left for an inspection now: a *SpentError, or nil. It books nothing; to be asked before a body is read.
func (m *Meter) Spent(caller Caller, allowance Allowance) error {
	if m == nil {
		return nil
	}
	_, err := m.judge(m.callers.of(caller, allowance), 0, m.cfg.Clock())
	return err
}

// Do does one piece of work for a caller once it is its turn, and books what it cost. An error says why the work wasn't done: a *SpentError, ErrBusy or
// ErrGone. Weight says how dear the work looks before it is done, in bytes: of those that wait, callers who have cost little and work that looks cheap go first.
//
// The work runs on the goroutine that asks, locked to its thread; one that panics costs too.
func (m *Meter) Do(caller Caller, allowance Allowance, weight int, work func()) error {
	if m == nil {
		work()
		return nil
	}
	m.widen.Do(func() { m.cfg.Widen(m.turns.mostDear + 1) })
	now := m.cfg.Clock()
	account := m.callers.of(caller, allowance)
	had, err := m.judge(account, 0, now)
	if err != nil {
		return err
	}
	bytes := max(weight, 0)
	looks := time.Duration(bytes) * cmp.Or(had.byByte, perByte)
	p := &piece{class: light, came: now, bytes: bytes, looks: looks, due: now.Add(looks + had.coming + behind*had.lately), granted: make(chan error, 1)}
	if weight > lightBytes || had.part > little {
		p.class = dear
	}
	m.callers.begin(account, looks, now)
	defer m.callers.end(account, looks)
	if err := m.turns.take(p, caller.Watch); err != nil {
		return err
	}
	return m.perform(p, account, work)
}

// perform does a piece whose turn it is, unless what the caller's others have cost meanwhile is too much.
func (m *Meter) perform(p *piece, account account, work func()) error {
	var cost time.Duration
	defer func() { m.turns.giveBack(p.class, cost) }()
	now := m.cfg.Clock()
	m.counts.waited(now.Sub(p.came))
	if _, err := m.judge(account, p.looks, now); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := m.cfg.Spent()
	defer func() {
		cost = max(m.cfg.Spent()-before, 0)
		m.callers.book(account, cost, p.bytes, m.cfg.Clock())
		m.counts.done(p.class, cost)
	}()
	work()
	return nil
}

// judge says what a caller has spent, and whether that is too much: all that it may or, where the node is short, more than the node lets count now. What waits
// counts then too, but for a piece itself whose turn it is.
func (m *Meter) judge(account account, itself time.Duration, now time.Time) (standing, error) {
	had := m.callers.look(account, now)
	if had.part >= 1 {
		return had, m.refuse(had.by, had.back(had.spent, 1))
	}
	claimed := had.spent + max(had.coming-itself, 0)
	if counts := m.turns.counting(now); counts < 1 && float64(claimed) > counts*float64(had.most) {
		return had, m.refuse("node", had.back(claimed, counts))
	}
	return had, nil
}

func (m *Meter) refuse(by string, retry time.Duration) error {
	m.counts.refuse(by)
	return &SpentError{By: by, Retry: retry}
}
