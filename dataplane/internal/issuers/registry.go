package issuers

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/token"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

const (
	// leastPause and mostPause bound how long nobody is asked about an unknown key after somebody was in vain: twice as long each time that
	// nothing new comes of it.
	leastPause = 2 * time.Second
	mostPause  = 30 * time.Second
	// leastRetry is the pause after the first of several looks in a row that failed; each later one is twice as long, up to what is usual.
	leastRetry = time.Second
	// believedEmpty is how many answers in a row without a usable key are believed.
	believedEmpty = 3
	// maxQuestions bounds the questions that wait to be asked, and atATime those under way: an issuer has one at a time.
	maxQuestions = 256
	atATime      = 16
	// maxWaiting bounds the requests of a node that wait for keys.
	maxWaiting = 512
	// askTimeout bounds a question to the control plane, and arriveTimeout how long its answer may take to come over the directory's lane.
	askTimeout    = 12 * time.Second
	arriveTimeout = 2 * time.Second
	arriveEvery   = 5 * time.Millisecond
	// tokensInMemory is room for some 15,000 tokens of 1 KB.
	tokensInMemory = 32 << 20
)

// Control asks the control plane to look at an issuer's keys now. It returns the sequence of the directory that holds what was seen.
type Control func(ctx context.Context, issuer id.ID, keyID string) (sequence uint64, err error)

// Guard returns what refuses addresses that a node must not connect to on anybody's behalf, by what the environment allows.
type Guard func(allowed []netip.Prefix) func(network, address string, c syscall.RawConn) error

// Config is what a Registry is made from.
type Config struct {
	// Directory holds what the control plane knows of keys.
	Directory *directory.Directory
	// InForce returns the issuers of the revision in force, and the special addresses that nodes may connect to; nil: there are none.
	InForce func() (*Set, []netip.Prefix)
	// Guard keeps the node from being made to connect where it mustn't.
	Guard Guard
	// Tokens bounds what is remembered of verified tokens, in bytes; 0: 32 MiB.
	Tokens int
	// Logger hears of looks that fail.
	Logger *slog.Logger
	// Clock tells the time; nil: time.Now.
	Clock func() time.Time
}

// Registry looks for issuers' keys. It is safe for concurrent use.
type Registry struct {
	cfg       Config
	control   atomic.Pointer[Control] // nil: the node doesn't belong to a control plane yet
	changed   chan struct{}
	questions chan *Keys
	gone      chan struct{} // keys: tokens that they signed are forgotten
	tokens    *token.Cache
	fetchFrom func(context.Context, *source, guard) ([]jwk.Key, error) // source.fetch, but in tests
	waiting   atomic.Int64
	waits     waitStats
}

type waitStats struct{ found, inVain, crowded atomic.Uint64 }

// NewRegistry returns a registry. It works while Run does.
func NewRegistry(cfg Config) *Registry {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Tokens == 0 {
		cfg.Tokens = tokensInMemory
	}
	return &Registry{
		cfg: cfg, changed: make(chan struct{}, 1), questions: make(chan *Keys, maxQuestions), gone: make(chan struct{}, 1),
		tokens: token.NewCache(cfg.Tokens), fetchFrom: func(ctx context.Context, s *source, g guard) ([]jwk.Key, error) { return s.fetch(ctx, g) },
	}
}

// Tokens returns what is remembered of verified tokens, on all routes.
func (r *Registry) Tokens() *token.Cache { return r.tokens }

// Join says how the control plane is asked from now on.
func (r *Registry) Join(control Control) { r.control.Store(&control) }

// Changed says that another revision is in force.
func (r *Registry) Changed() {
	select {
	case r.changed <- struct{}{}:
	default: // it is known already
	}
}

// NewKeys returns the keys of an issuer that were never looked for yet. Whoever keeps them keeps what was found out.
func (r *Registry) NewKeys(self id.ID, m *configv1.Issuer) (*Keys, error) {
	from, err := newSource(m)
	if err != nil {
		return nil, err
	}
	fetches := m.GetFetchFrom() != configv1.FetchFrom_FETCH_FROM_EDGE
	_, given := m.GetKeys().(*configv1.Issuer_Jwks)
	return &Keys{issuer: self, name: m.GetName(), directory: r.cfg.Directory, log: r.cfg.Logger, source: from, asks: fetches && !given, lost: r.gone}, nil
}

// look is where an issuer's keys stand as to being looked for.
type look struct {
	flight   *flight       // under way; nil: none is
	pause    time.Duration // after the last question about an unknown key
	next     time.Time     // from when one is asked again
	due      time.Time     // of the next look without a question
	failures int           // in a row, of looks
	empty    int           // in a row, answers without a key
}

// flight is one look. Whoever waits for it sees done closed once there is something new, or nothing to come.
type flight struct {
	keyID string // that is looked for; "": whatever is new
	done  chan struct{}
	once  sync.Once
}

func newFlight(keyID string) *flight { return &flight{keyID: keyID, done: make(chan struct{})} }
func (f *flight) land()              { f.once.Do(func() { close(f.done) }) }

// Unknown says that a token names a key which isn't there. Somebody is asked, unless somebody just was. It returns what is closed once there is
// something new or nothing to come; nil: nobody is asked now. It doesn't wait.
func (r *Registry) Unknown(k *Keys, keyID string) <-chan struct{} {
	k.stats.unknown.Add(1)
	if !k.asks && k.source == nil {
		return nil
	}
	k.looking.Lock()
	defer k.looking.Unlock()
	if k.look.flight != nil {
		return k.look.flight.done
	}
	if r.cfg.Clock().Before(k.look.next) {
		k.stats.putOff.Add(1)
		return nil
	}
	f := newFlight(keyID)
	select {
	case r.questions <- k:
		k.look.flight = f
		return f.done
	default:
		k.stats.putOff.Add(1)
		return nil
	}
}

// Wait is for a request whose policy lets it wait for a key that isn't in the set that it has seen: until there is something new or nothing
// to come, or ctx ends. It tells whether there is another set to look at.
func (r *Registry) Wait(ctx context.Context, k *Keys, seen *token.KeySet, keyID string) bool {
	if k.Set() != seen {
		return true // it came between the look and the question
	}
	done := r.Unknown(k, keyID)
	if done == nil {
		return k.Set() != seen
	}
	if r.waiting.Add(1) > maxWaiting {
		r.waiting.Add(-1)
		r.waits.crowded.Add(1)
		return false
	}
	defer r.waiting.Add(-1)
	select {
	case <-done:
	case <-ctx.Done():
	}
	if k.Set() == seen {
		r.waits.inVain.Add(1)
		return false
	}
	r.waits.found.Add(1)
	return true
}

// Run looks for keys until ctx ends: for those that nodes fetch themselves at their intervals, for others when a token names one that nobody
// knows.
func (r *Registry) Run(ctx context.Context) error {
	var looks sync.WaitGroup
	defer looks.Wait()
	turns := make(chan struct{}, atATime)
	start := func(k *Keys, f *flight, asked bool) {
		looks.Go(func() {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
				r.lookFor(ctx, k, f, asked)
			case <-ctx.Done():
				f.land()
			}
		})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-r.questions:
			k.looking.Lock()
			f := k.look.flight
			k.looking.Unlock()
			start(k, f, true)
			continue
		case <-r.gone:
			set, _ := r.cfg.InForce()
			r.tokens.Retain(set.has)
			continue
		case <-r.changed:
		case <-timer.C:
		}
		if wait := r.startDue(start); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// startDue starts the looks that are due, and returns in how long the next one is; 0: none will be.
func (r *Registry) startDue(start func(*Keys, *flight, bool)) (wait time.Duration) {
	set, _ := r.cfg.InForce()
	now := r.cfg.Clock()
	for _, i := range set.All() {
		k := i.keys
		if k.source == nil {
			continue
		}
		k.looking.Lock()
		if k.look.flight == nil && !now.Before(k.look.due) {
			k.look.flight = newFlight("")
			k.look.due = now.Add(k.source.every)
			start(k, k.look.flight, false)
		}
		in := max(k.look.due.Sub(now), time.Millisecond)
		k.looking.Unlock()
		if wait == 0 || in < wait {
			wait = in
		}
	}
	return wait
}

// lookFor is one look, at all who may know.
func (r *Registry) lookFor(ctx context.Context, k *Keys, f *flight, asked bool) {
	before := k.now()
	var both sync.WaitGroup
	if asked && k.asks {
		both.Go(func() {
			r.ask(ctx, k, before, f.keyID)
			if k.now() != before {
				f.land()
			}
		})
	}
	if k.source != nil {
		both.Go(func() {
			r.fetch(ctx, k)
			if k.now() != before {
				f.land()
			}
		})
	}
	both.Wait()
	k.looking.Lock()
	k.look.flight = nil
	if asked {
		k.look.pause = min(max(2*k.look.pause, leastPause), mostPause)
		if k.now() != before {
			k.look.pause = 0 // nobody but the issuer makes new keys: who brought one may ask for the next
		}
		k.look.next = r.cfg.Clock().Add(k.look.pause)
	}
	k.looking.Unlock()
	f.land()
	if k.source != nil {
		r.Changed() // when it is looked at next may have changed
	}
}

// ask has the control plane look, and waits a little for what it saw to arrive.
func (r *Registry) ask(ctx context.Context, k *Keys, before *good, keyID string) {
	control := r.control.Load()
	if control == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	sequence, err := (*control)(ctx, k.issuer, keyID)
	if err != nil {
		k.stats.askFailed.Add(1)
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			r.cfg.Logger.Warn("the control plane can't look at an issuer's keys", "issuer", id.Text(id.Issuer, k.issuer), "name", k.name, "error", err)
		}
		return
	}
	k.stats.asked.Add(1)
	ctx, cancel = context.WithTimeout(ctx, arriveTimeout)
	defer cancel()
	tick := time.NewTicker(arriveEvery)
	defer tick.Stop()
	for k.now() == before {
		if at, _ := r.cfg.Directory.Head(); at >= sequence {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// fetch looks at the issuer itself. What fails leaves the keys as they are.
func (r *Registry) fetch(ctx context.Context, k *Keys) {
	_, allowed := r.cfg.InForce()
	keys, err := r.fetchFrom(ctx, k.source, r.cfg.Guard(allowed))
	now := r.cfg.Clock()
	k.looking.Lock()
	if errors.Is(err, errNoKeys) {
		if k.look.empty++; k.look.empty >= believedEmpty {
			err = nil
		}
	} else {
		k.look.empty = 0
	}
	before := k.look.failures
	next := k.source.every
	if err != nil {
		next = min(leastRetry<<min(before, 12), k.source.every)
		k.look.failures++
	} else {
		k.look.failures = 0
	}
	k.look.due = now.Add(jittered(next))
	k.looking.Unlock()
	r.tell(ctx, k, before, err)
	if err != nil {
		k.stats.fetchFailed.Add(1)
		return
	}
	k.saw(keys)
	k.stats.fetchedAt.Store(now.UnixMilli())
	k.stats.fetched.Add(1)
}

// tell logs that an issuer can't be reached, and that it can again; not what goes on in between.
func (r *Registry) tell(ctx context.Context, k *Keys, before int, err error) {
	of := []any{"issuer", id.Text(id.Issuer, k.issuer), "name", k.name}
	switch {
	case err == nil && before > 0:
		r.cfg.Logger.Info("the keys of an issuer can be fetched again", append(of, "failures", before)...)
	case err != nil && before == 0 && ctx.Err() == nil:
		r.cfg.Logger.Warn("the keys of an issuer can't be fetched; those that are known stay good", append(of, "error", err)...)
	}
}

// jittered keeps a fleet from asking at once: up to a tenth sooner.
func jittered(d time.Duration) time.Duration {
	return d - rand.N(d/10+1) // #nosec G404 -- no secret, only to spread a fleet
}

// Stats is what the registry holds and did.
type Stats struct {
	// Keys are those of the issuers in force.
	Keys []KeyStats
	// Found, InVain and Crowded count requests that waited for a key and got one, waited in vain, or found too many waiting.
	Found, InVain, Crowded uint64
}

// Stats returns what the registry holds and did.
func (r *Registry) Stats() Stats {
	s := Stats{Found: r.waits.found.Load(), InVain: r.waits.inVain.Load(), Crowded: r.waits.crowded.Load()}
	set, _ := r.cfg.InForce()
	for _, i := range set.All() {
		s.Keys = append(s.Keys, i.keys.read())
	}
	return s
}
