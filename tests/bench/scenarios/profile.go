package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/tests/bench/gateway"
	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/bench/peers"
)

const (
	profiled      = 20 * time.Second
	profiledShort = 2 * time.Second
	profiledMost  = time.Minute // ends a load that nobody ends
	// profileLines of each kind of request.
	profileLines = 32
)

// Profile writes to a file where an edge's processor time goes under load: what the compiler takes to build it (PGO).
func Profile(ctx context.Context, cfg Config, file string) (failed error) {
	cfg.fill()
	b, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, b.end()) }()
	lasting := profiled
	if cfg.Quick {
		lasting = profiledShort
	}
	var profile []byte
	err = b.underLoad(ctx, peers.Setup{Processors: b.layout.gateway, Threads: 1, Profiles: true}, func(edge *gateway.Edge) (err error) {
		profile, err = edge.Profile(ctx, lasting)
		return err //nolint:wrapcheck // says whose
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, profile, 0o644); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	cfg.Say(fmt.Sprintf("%s: %d bytes", file, len(profile)))
	return nil
}

// waits says who waited for a mutex in an edge under load.
func (b *bench) waits(ctx context.Context, setup peers.Setup) (said string, _ error) {
	err := b.underLoad(ctx, setup, func(edge *gateway.Edge) error {
		before, err := edge.Waits(ctx)
		if err != nil {
			return err //nolint:wrapcheck // says whose
		}
		if err := wait(ctx, b.cfg.times.closed); err != nil {
			return err
		}
		after, err := edge.Waits(ctx)
		said = after.Since(before).String()
		return err //nolint:wrapcheck // says whose
	})
	return said, err
}

// underLoad looks at an edge while clients ask it as fast as they can: without and with keys, over TLS, and with 10 KB.
func (b *bench) underLoad(ctx context.Context, setup peers.Setup, look func(*gateway.Edge) error) (failed error) {
	running, err := b.product.Launch(ctx, b.fixture, setup)
	if err != nil {
		return err //nolint:wrapcheck // says which
	}
	defer func() { failed = errors.Join(failed, running.Stop(ctx)) }()
	var all []*load.Clients
	defer func() {
		for _, clients := range all {
			clients.Close()
		}
	}()
	for _, s := range []*scenario{
		{site: peers.Plain, protocol: asking(origin.ShortAnswer, get(peers.Plain, onePath, ""))},
		{site: peers.Keyed, protocol: asking(origin.ShortAnswer, b.withKeys()...)},
		{site: peers.Plain, protocol: asking(origin.LongAnswer, longRequest())},
		{site: peers.Secure, protocol: asking(origin.ShortAnswer, get(peers.Secure, onePath, ""))},
	} {
		if b.product.Lacks(s.site) != "" {
			continue // what it can't do yet takes none of its time
		}
		protocol := s.protocol(b.target(running, s.site))
		clients, err := load.Connect(ctx, protocol, profileLines)
		if err != nil {
			return err //nolint:wrapcheck // says what
		}
		all = append(all, clients)
	}
	loading, end := context.WithCancel(ctx)
	var loaded sync.WaitGroup
	defer loaded.Wait()
	defer end()
	for _, clients := range all {
		loaded.Go(func() { clients.Closed(loading, profiledMost) })
	}
	return look(running)
}
