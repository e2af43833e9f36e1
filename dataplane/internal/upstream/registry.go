package upstream

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/proto/id"
)

// Config is what a Registry works with.
type Config struct {
	// Sweeper ends what takes too long. Whoever made it runs it.
	Sweeper *sweeper.Sweeper
	// Own are the edge's listeners: never connected to, unless the environment allows exactly their address.
	Own []netip.AddrPort
	// Certificate returns what is shown to targets that ask who calls, by its id; nil: there are none.
	Certificate func(certificate id.ID) (*tls.Certificate, error)
	// DialDNS connects to a name server; nil: over the net.
	DialDNS func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger hears of names that can't be resolved, and of targets ejected.
	Logger *slog.Logger
}

// Registry is all targets that a node speaks to. What is known of a target stays for as long as any pool has it, whatever else of its
// service changes. It is safe for concurrent use.
type Registry struct {
	cfg     Config
	lookups lookups

	mu      sync.Mutex
	targets map[targetKey]*target
	guards  map[string]*Guard // by what they allow; few: an environment has one at a time

	ejecting sync.Mutex // held while it is decided whether one more target may be
}

// targetKey is what makes two targets one: where it is, and how it is spoken to.
type targetKey struct {
	address string
	tls     snapshot.TLS
}

// NewRegistry returns a registry without targets; Run looks after them.
func NewRegistry(cfg Config) *Registry {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{cfg: cfg, targets: map[targetKey]*target{}, guards: map[string]*Guard{}}
}

// Pool returns what asks a service. It opens nothing until a request comes.
func (r *Registry) Pool(spec snapshot.Spec) *Pool {
	guard := r.guard(spec.AllowedTargets)
	p := &Pool{spec: spec, registry: r, guard: guard}
	held := make([]*target, 0, len(spec.Targets))
	for _, t := range spec.Targets {
		if t.Weight == 0 {
			continue
		}
		target := r.hold(targetKey{address: t.Address, tls: spec.TLS})
		target.purge(guard)
		held = append(held, target)
		p.members = append(p.members, member{target: target, weight: uint64(t.Weight)})
	}
	p.picker = newPicker(spec.Balancing, p.members)
	runtime.AddCleanup(p, r.letGo, held)
	return p
}

// guard returns the one guard that allows this.
func (r *Registry) guard(allowed []netip.Prefix) *Guard {
	var key []byte
	for _, p := range allowed {
		key = append(p.AppendTo(key), ' ')
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.guards[string(key)]; g != nil {
		return g
	}
	const most = 16 // kept: more than are in force at a time
	if len(r.guards) >= most {
		clear(r.guards)
	}
	g := NewGuard(allowed, r.cfg.Own)
	r.guards[string(key)] = g
	return g
}

// hold returns a target for one more pool.
func (r *Registry) hold(key targetKey) *target {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[key]
	if t == nil {
		t = newTarget(r, key)
		r.targets[key] = t
	}
	t.pools++
	return t
}

// letGo ends a pool's hold of its targets. Those that no other has are gone.
func (r *Registry) letGo(held []*target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range held {
		if t.pools--; t.pools == 0 {
			delete(r.targets, t.key)
			t.drop()
		}
	}
}

// all returns the targets there are, in no order.
func (r *Registry) all() []*target {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*target, 0, len(r.targets))
	for _, t := range r.targets {
		all = append(all, t)
	}
	return all
}

// round is between two looks at what is idle and which names are due.
const round = time.Second

// Run closes what idles for too long, and resolves names anew before they are too old, until ctx ends; then it closes all that idles.
func (r *Registry) Run(ctx context.Context) error {
	tick := time.NewTicker(round)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.lookups.wait()
			for _, t := range r.all() {
				t.closeIdle(func(*conn) bool { return true })
			}
			return nil
		case <-tick.C:
		}
		now := r.cfg.Sweeper.Now()
		for _, t := range r.all() {
			t.closeIdle(func(c *conn) bool { return now.Sub(c.idleSince) > idleTimeout })
			if t.resolveDue(now) {
				r.lookups.start(ctx, t)
			}
		}
	}
}
