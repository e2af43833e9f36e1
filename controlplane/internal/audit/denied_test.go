package audit_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// appender takes events once it is open.
type appender struct {
	mu       sync.Mutex
	closed   bool
	attempts uint64
	events   int
}

func (a *appender) Append(_ context.Context, drafts []*audit.Draft) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errors.New("the database is away")
	}
	for _, d := range drafts {
		e, err := d.Prepare()
		if err != nil {
			return err
		}
		a.attempts += e.GetAttempts()
		a.events++
	}
	return nil
}

func TestAFloodOfDenialsIsBoundedAndStillCounted(t *testing.T) {
	store, stats := new(appender), new(audit.Stats)
	d := audit.NewDenied(store, slog.New(slog.DiscardHandler), stats)
	const flood = audit.DeniedQueue + 500
	for range flood {
		d.Refused(audit.Origin{Operation: "putRoute"}, "", "forbidden", "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if store.attempts != flood || store.events != audit.DeniedQueue+1 || stats.Unsaid.Load() != 500 {
		t.Fatalf("%d attempts in %d events, %d unsaid", store.attempts, store.events, stats.Unsaid.Load())
	}
}

func TestGuessingFromManyAddressesMakesNoMoreEventsThanAddresses(t *testing.T) {
	store := new(appender)
	d := audit.NewDenied(store, slog.New(slog.DiscardHandler), new(audit.Stats))
	network := netip.MustParseAddr("2001:db8::").As16()
	for i := range 10_000 {
		network[14], network[15] = byte(i>>8), byte(i) // all of one subscriber's /64
		d.BadToken(audit.Origin{}, netip.AddrFrom16(network), "unauthenticated", "")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if store.events != 2 || store.attempts != 10_000 {
		t.Fatalf("%d attempts in %d events", store.attempts, store.events)
	}
}

func TestADatabaseThatIsAwayHoldsUpNobodyWhoStops(t *testing.T) {
	store, stats := &appender{closed: true}, new(audit.Stats)
	d := audit.NewDenied(store, slog.New(slog.DiscardHandler), stats)
	d.Refused(audit.Origin{}, "", "forbidden", "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	cancel()
	if err := <-done; err != nil || stats.Unsaid.Load() != 1 {
		t.Fatalf("%v, %d unsaid", err, stats.Unsaid.Load())
	}
}
