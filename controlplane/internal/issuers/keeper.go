package issuers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	// tick is how often a replica looks whose turn it is.
	tick = time.Second
	// lookTimeout bounds a look into the database.
	lookTimeout = 10 * time.Second
	// atOnce is how many issuers a replica asks at once, on the schedule.
	atOnce = 16
	// lease is for how long nobody else asks an issuer: until a replica that died is given up.
	lease = 30 * time.Second
	// firstRetry is how soon an issuer is asked again after a failure; doubled by each, up to lastRetry or its own interval.
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute
	// confirmAfter is how soon a set without a key is looked at again, to be believed.
	confirmAfter = 5 * time.Second
	// movedGrace is for how long keys of an issuer that is looked for elsewhere outlive its not being found there.
	movedGrace = time.Minute
	// healthEvery is how many ticks go by between looks at how all issuers are.
	healthEvery = 10
)

// Stats counts what this replica did, and how all issuers are. Root exports them as metrics.
type Stats struct {
	Changed   atomic.Uint64 // answers that changed keys
	Unchanged atomic.Uint64
	Failed    atomic.Uint64 // no answer, or one that says nothing
	Empty     atomic.Uint64 // sets without a key of use
	Bounded   atomic.Uint64 // times that an issuer wasn't asked on demand, since it was just before
	OldestS   atomic.Int64  // seconds since the issuer that answered longest ago did
	Failing   atomic.Int64  // issuers that answer with nothing of use
}

// Keeper asks issuers when it is their turn, and when somebody wants to know. It is safe for concurrent use, by any number of replicas.
type Keeper struct {
	store     Store
	catalog   Catalog
	publisher Publisher
	network   Network
	log       *slog.Logger
	stats     *Stats

	lock    sync.Mutex
	flights map[place]*flight
	quiet   map[place]time.Time // issuers that are asked on demand no more until then
}

// place names an issuer.
type place struct{ environment, issuer string }

// New returns a keeper; Run makes it ask on the schedule.
func New(store Store, c Catalog, publisher Publisher, network Network, log *slog.Logger, stats *Stats) *Keeper {
	return &Keeper{
		store: store, catalog: c, publisher: publisher, network: network, log: log, stats: stats,
		flights: make(map[place]*flight), quiet: make(map[place]time.Time),
	}
}

// Run asks issuers whose turn it is until ctx ends, and returns when nobody is asked any more.
func (k *Keeper) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	slots := make(chan struct{}, atOnce)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		for _, claim := range k.due(ctx, atOnce-len(slots)) {
			slots <- struct{}{} // there is room: nobody else takes any
			asking.Go(func() {
				defer func() { <-slots }()
				k.look(ctx, claim)
			})
		}
		k.tidy()
		if n%healthEvery == 0 {
			k.health(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (k *Keeper) due(ctx context.Context, most int) []Claim {
	if most == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	claims, err := k.store.ClaimDue(ctx, rand.Text(), lease, most)
	if err != nil && ctx.Err() == nil {
		k.log.WarnContext(ctx, "can't look which issuers are to be asked for their keys; trying again", "error", err)
	}
	return claims
}

func (k *Keeper) health(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	oldest, failing, err := k.store.Health(ctx)
	if err != nil {
		return // whose turn it is is looked up in the same place, and says so
	}
	k.stats.OldestS.Store(int64(oldest / time.Second))
	k.stats.Failing.Store(int64(failing))
}

// look asks an issuer and reports what came of it. Its context may end: then the lease is given back.
func (k *Keeper) look(ctx context.Context, claim Claim) {
	err := k.lookUnder(ctx, claim)
	if err == nil || errors.Is(err, publish.ErrSuperseded) {
		return
	}
	if ctx.Err() == nil && problem.CodeOf(err) != problem.NotFound {
		k.log.WarnContext(ctx, "what an issuer was asked for can't be kept", "environment", claim.Environment, "issuer", claim.Issuer, "error", err)
	}
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	if err := k.store.Release(releasing, claim); err != nil {
		k.log.DebugContext(releasing, "a lease over an issuer ends by itself", "environment", claim.Environment, "issuer", claim.Issuer, "error", err)
	}
}

func (k *Keeper) lookUnder(ctx context.Context, claim Claim) error {
	object, err := k.catalog.Get(ctx, claim.Environment, catalog.Issuers, claim.Issuer)
	if err != nil {
		return err
	}
	m := resource.Defaulted(object.Message).(*configv1.Issuer)
	found, err := ask(ctx, k.network, m)
	if ctx.Err() != nil {
		return ctx.Err() // the replica ends: the issuer has done nothing wrong
	}
	report := judge(claim, m.GetRefreshInterval().AsDuration(), found, err)
	report.Name = object.Name
	changes, err := k.publisher.ReportKeys(ctx, report)
	if err != nil {
		return err
	}
	k.tell(ctx, report, changes)
	return nil
}

// judge says what an answer, or none, means.
func judge(claim Claim, interval time.Duration, found answer, err error) publish.KeyReport {
	report := publish.KeyReport{Environment: claim.Environment, Issuer: claim.Issuer, Lease: claim.Lease, Next: jittered(interval)}
	switch {
	case err != nil:
		report.Failures = claim.Failures + 1
		report.Error = words(err)
		report.Next = retry(report.Failures, interval)
		report.Believed = claim.Moved > movedGrace // nothing is known of the issuer where it is now
		report.Empty = claim.Empty >= 0
	case len(found.keys) == 0 && claim.Empty < confirmAfter:
		report.Fetched, report.Unusable, report.Empty = true, found.unusable, true
		report.Failures = claim.Failures + 1
		report.Error = "the key set has no key of use: its keys stay good until the next look says the same"
		report.Next = min(confirmAfter, interval)
	case len(found.keys) == 0:
		report.Fetched, report.Unusable, report.Believed = true, found.unusable, true
		report.Empty = true // what is believed already needs no second look
		report.Failures = claim.Failures + 1
		report.Error = "the key set has no key of use, for the second time: no key is good"
	default:
		report.Fetched, report.Unusable, report.Believed, report.Keys = true, found.unusable, true, found.keys
	}
	return report
}

// jittered is an interval made up to a tenth shorter, so that the issuers of many environments aren't asked in step.
func jittered(interval time.Duration) time.Duration {
	return interval - time.Duration(mathrand.Int64N(int64(interval)/10+1)) //nolint:gosec // no secret
}

// retry is how long is waited after so many failures in a row.
func retry(failures int, interval time.Duration) time.Duration {
	wait := firstRetry << min(failures-1, 10)
	return jittered(min(wait, interval, lastRetry))
}

// tell counts what came of asking, and logs what an operator should know.
func (k *Keeper) tell(ctx context.Context, report publish.KeyReport, changes []directory.KeyChange) {
	attributes := []any{"environment", report.Environment, "issuer", report.Issuer, "name", report.Name}
	switch {
	case !report.Fetched:
		k.stats.Failed.Add(1)
	case len(report.Keys) == 0:
		k.stats.Empty.Add(1)
	case len(changes) > 0:
		k.stats.Changed.Add(1)
	default:
		k.stats.Unchanged.Add(1)
	}
	if report.Error != "" {
		level := slog.LevelWarn
		if report.Failures > 1 && len(changes) == 0 {
			level = slog.LevelDebug // it was said, and is shown
		}
		k.log.Log(ctx, level, "an issuer's keys can't be had", append(attributes, "failures", report.Failures, "reason", report.Error)...)
	}
	for _, c := range changes {
		k.log.InfoContext(ctx, "an issuer's key changed", append(attributes, "change", c.Action, "kid", c.Key.KeyID, "thumbprint", c.Key.Thumbprint)...)
	}
}

// configured returns an issuer by id or name.
func (k *Keeper) configured(ctx context.Context, environment, key string) (catalog.Object, *configv1.Issuer, error) {
	object, err := k.catalog.Get(ctx, environment, catalog.Issuers, key)
	if err != nil {
		return object, nil, fmt.Errorf("find the issuer: %w", err)
	}
	return object, object.Message.(*configv1.Issuer), nil
}
