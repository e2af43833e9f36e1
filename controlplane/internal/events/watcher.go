package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

const (
	// watchEvery is how often what nobody did is looked for, and atOnce how much of a sort is told of in one look.
	watchEvery   = 5 * time.Second
	watchTimeout = 30 * time.Second
	atOnce       = 500
	// ahead is how long before its end a key is told of; past for how long after it.
	ahead = 7 * 24 * time.Hour
	past  = 24 * time.Hour
	// Retention is how long events are kept, forgotten in portions.
	Retention   = 30 * 24 * time.Hour
	forgetEvery = time.Hour
)

// Counter counts what environments hold.
type Counter interface {
	// Counts returns those of one environment, or of all for "".
	Counts(ctx context.Context, environment string) (limits.Counts, error)
}

// Watcher finds what nobody did, and forgets what is old. Every replica has one: a cause is told of once.
type Watcher struct {
	store     Store
	counter   Counter
	log       *slog.Logger
	now       func() time.Time
	forgotten time.Time
}

// NewWatcher returns a watcher, who works while Run does.
func NewWatcher(store Store, counter Counter, log *slog.Logger) *Watcher {
	return &Watcher{store: store, counter: counter, log: log, now: time.Now}
}

// Run looks until ctx ends. What fails is tried again at the next look.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("can't look for what is to be told of; trying again", "error", err)
		}
	}
}

func (w *Watcher) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	for _, find := range []func(context.Context) ([]Occurrence, error){
		func(ctx context.Context) ([]Occurrence, error) { return w.store.Expiring(ctx, past, ahead, atOnce) },
		func(ctx context.Context) ([]Occurrence, error) { return w.store.Refusing(ctx, atOnce) },
		w.limits,
	} {
		occurrences, err := find(ctx)
		if err != nil {
			return err
		}
		if len(occurrences) == 0 {
			continue
		}
		if err := w.store.Tell(ctx, occurrences); err != nil {
			return err
		}
	}
	return w.forget(ctx)
}

// limits returns the limits that are near or reached. While one stays so it is told of once a day.
func (w *Watcher) limits(ctx context.Context) ([]Occurrence, error) {
	counts, err := w.counter.Counts(ctx, "")
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it counts
	}
	day := w.now().UTC().Format(time.DateOnly)
	var occurrences []Occurrence
	for environment, used := range counts {
		for _, limit := range limits.All(func(name string) uint64 { return used[name] }) {
			kind := LimitNear
			switch {
			case limit.Used >= limit.Most:
				kind = LimitReached
			case !limit.Alarming():
				continue
			}
			occurrences = append(occurrences, Occurrence{Cause: kind + " " + limit.Name + " " + day, Event: &adminv1.Event{
				Type: kind, Environment: environment, Collection: "limits", Object: limit.Name, Name: limit.Name,
				Facts: map[string]string{"used": decimal(limit.Used), "most": decimal(limit.Most)},
			}})
		}
	}
	return occurrences, nil
}

func (w *Watcher) forget(ctx context.Context) error {
	if w.now().Sub(w.forgotten) < forgetEvery {
		return nil
	}
	for {
		n, err := w.store.Forget(ctx, Retention, atOnce)
		if err != nil {
			return err //nolint:wrapcheck // says what it forgets
		}
		if n < atOnce {
			w.forgotten = w.now()
			return nil
		}
	}
}
