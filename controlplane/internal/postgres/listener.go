package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

const (
	commitsChannel = "sallyport_commits"
	askedChannel   = "sallyport_inquiries"
	// disabledChannel tells of nodes that were disabled, by their ids. Nobody polls for what it failed to tell:
	// rosters and wardens look for themselves, each few seconds.
	disabledChannel = "sallyport_disabled"
	pollEvery       = time.Second
	reconnectAfter  = time.Second
	pollTimeout     = 10 * time.Second
)

// Listener tells of commits: by NOTIFY within a millisecond, and by a poll each second of what a broken
// connection didn't tell. It tells only which environment changed, never what.
type Listener struct {
	db  *DB
	log *slog.Logger

	lock        sync.Mutex
	subscribers map[*subscriber]struct{}
	inquiries   map[chan struct{}]struct{} // each of capacity 1
	disabled    func(node string)
	rootKey     func(context.Context) error
}

// NewListener returns a listener, which listens while Run runs.
func NewListener(db *DB, log *slog.Logger) *Listener {
	return &Listener{
		db: db, log: log, subscribers: make(map[*subscriber]struct{}), inquiries: make(map[chan struct{}]struct{}), disabled: func(string) {}, rootKey: func(context.Context) error { return nil },
	}
}

// OnDisabled sets what is called with each node that some replica has disabled. It must not block, and is set
// before Run.
func (l *Listener) OnDisabled(disabled func(node string)) { l.disabled = disabled }

// OnShown sets what looks, each time that the database has been shown that a replica runs, whether the replica's root key is
// the database's: it may have been changed until then. secrets.ErrWrongRootKey, wrapped, ends Run. It is set before Run.
func (l *Listener) OnShown(rootKey func(context.Context) error) { l.rootKey = rootKey }

// Subscribe returns a channel of ids of environments that changed, until cancel is called, which closes it.
// An environment that changes several times before it is received is told once: what waits is bounded by
// the number of environments.
func (l *Listener) Subscribe() (environments <-chan string, cancel func()) {
	s := &subscriber{pending: make(map[string]struct{}), wake: make(chan struct{}, 1), out: make(chan string), stop: make(chan struct{})}
	l.lock.Lock()
	l.subscribers[s] = struct{}{}
	l.lock.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run()
	}()
	return s.out, sync.OnceFunc(func() {
		l.lock.Lock()
		delete(l.subscribers, s)
		l.lock.Unlock()
		close(s.stop)
		<-done
	})
}

// Run listens and polls until ctx ends, or the root key isn't the database's any more.
func (l *Listener) Run(ctx context.Context) error {
	var polling sync.WaitGroup
	defer polling.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	polling.Go(func() { l.poll(ctx) })
	for ctx.Err() == nil {
		err := l.listen(ctx)
		if errors.Is(err, secrets.ErrWrongRootKey) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "the connection that tells of commits broke; the poll goes on", "error", err)
		}
		wait(ctx, reconnectAfter)
	}
	return nil
}

// listen tells what one connection tells, until it breaks.
func (l *Listener) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.db.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), reconnectAfter)
		defer cancel()
		_ = conn.Close(closing) // it is gone either way
	}()
	// Nobody changes the root key while a replica runs: see DB.Reseal.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1)", int64(replicaLock)); err != nil {
		return fmt.Errorf("show that a replica runs: %w", err)
	}
	if err := l.rootKey(ctx); err != nil {
		return fmt.Errorf("look whether the root key was changed: %w", err)
	}
	if _, err := conn.Exec(ctx, "LISTEN "+commitsChannel+"; LISTEN "+askedChannel+"; LISTEN "+disabledChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if notification.Channel == askedChannel {
			l.tellInquiries()
			continue
		}
		if notification.Channel == disabledChannel {
			l.disabled(notification.Payload)
			continue
		}
		l.tell(notification.Payload)
	}
}

// place is where an environment is in both lanes.
type place struct{ epoch, revision, sequence int64 }

// poll tells of environments that aren't where they were a second ago.
func (l *Listener) poll(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	known := make(map[string]place)
	for {
		if err := l.compare(ctx, known); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "the poll for commits failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *Listener) compare(ctx context.Context, known map[string]place) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	rows, err := l.db.q.EnvironmentPositions(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		now := place{row.Epoch, row.Revision, row.Sequence}
		if known[row.ID] != now {
			known[row.ID] = now
			l.tell(row.ID)
		}
	}
	return nil
}

// tell tells every subscriber, and waits for none.
func (l *Listener) tell(environment string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for s := range l.subscribers {
		s.add(environment)
	}
}

// subscriber keeps what one receiver has yet to hear.
type subscriber struct {
	lock    sync.Mutex
	pending map[string]struct{}
	wake    chan struct{}
	out     chan string
	stop    chan struct{}
}

func (s *subscriber) add(environment string) {
	s.lock.Lock()
	s.pending[environment] = struct{}{}
	s.lock.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) next() (string, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for environment := range s.pending {
		delete(s.pending, environment)
		return environment, true
	}
	return "", false
}

// run hands on what is pending until the subscription is cancelled.
func (s *subscriber) run() {
	defer close(s.out)
	for {
		environment, ok := s.next()
		if !ok {
			select {
			case <-s.stop:
				return
			case <-s.wake:
				continue
			}
		}
		select {
		case <-s.stop:
			return
		case s.out <- environment:
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
