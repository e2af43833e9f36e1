package events

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/resource"
)

// States of a delivery.
const (
	Waiting   = "waiting"
	Delivered = "delivered"
	Dead      = "dead"
)

const (
	// lookEvery is how often due deliveries are looked for, parcels how many are taken at a time, all of them at once.
	lookEvery = time.Second
	parcels   = 16
	// attemptTimeout bounds one attempt. The lease is longer, so that nobody else makes the same one meanwhile.
	attemptTimeout = 15 * time.Second
	lease          = time.Minute
	settleTimeout  = 10 * time.Second
	maxError       = 512 // bytes
)

// pauses are how long the next attempt is put off after each that failed; behind the last the delivery is given up: after some 27 hours.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 5 * time.Hour, 8 * time.Hour, 10 * time.Hour,
}

// Poster sends a body to an address that a user wrote, within what the process may reach. The error says why there was no answer.
type Poster interface {
	Post(ctx context.Context, address string, header http.Header, body []byte) (status int, err error)
}

// Stats is what is counted of deliveries.
type Stats struct {
	// Delivered, Failed and Given up are attempts that were taken, that weren't, and the last of those.
	Delivered, Failed, GivenUp atomic.Uint64
	// Waiting and Dead are deliveries as last counted.
	Waiting, Dead atomic.Int64
}

// Courier posts events to webhooks. Every replica has one: what one has taken, the others leave.
type Courier struct {
	depot  Depot
	poster Poster
	sealer Sealer
	log    *slog.Logger
	stats  *Stats
	now    func() time.Time
}

// NewCourier returns a courier, who works while Run does.
func NewCourier(depot Depot, poster Poster, sealer Sealer, log *slog.Logger, stats *Stats) *Courier {
	return &Courier{depot: depot, poster: poster, sealer: sealer, log: log, stats: stats, now: time.Now}
}

// Run delivers until ctx ends. An attempt that is under way then is tried again by whoever comes next.
func (c *Courier) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = c.round(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("can't deliver events; trying again", "error", err)
			}
		}
	}
}

// round delivers what is due, and tells whether there may be more.
func (c *Courier) round(ctx context.Context) (more bool, err error) {
	taken, err := c.claim(ctx)
	if err != nil || len(taken) == 0 {
		return false, err
	}
	var under sync.WaitGroup
	for _, p := range taken {
		under.Go(func() {
			if err := c.deliver(ctx, p); err != nil && ctx.Err() == nil {
				c.log.Warn("can't write down what became of a delivery", "webhook", p.Webhook, "event", p.Event.GetId(), "error", err)
			}
		})
	}
	under.Wait()
	return len(taken) == parcels, nil
}

func (c *Courier) claim(ctx context.Context) ([]Parcel, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	waiting, dead, err := c.depot.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	c.stats.Waiting.Store(waiting)
	c.stats.Dead.Store(dead)
	if waiting == 0 {
		return nil, nil
	}
	return c.depot.Claim(ctx, lease, parcels)
}

// deliver makes one attempt.
func (c *Courier) deliver(ctx context.Context, p Parcel) error {
	status, err := c.post(ctx, p)
	if ctx.Err() != nil {
		return nil // its lease ends
	}
	outcome := judge(p.Attempt, status, err)
	switch outcome.State {
	case Delivered:
		c.stats.Delivered.Add(1)
	case Dead:
		c.stats.GivenUp.Add(1)
		c.log.Warn("an event isn't delivered: every attempt failed", "webhook", p.Webhook, "event", p.Event.GetId(), "type", p.Event.GetType(), "status", status, "error", outcome.Error)
	default:
		c.stats.Failed.Add(1)
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return c.depot.Settle(ctx, p, outcome)
}

// judge tells what an attempt came to. Anything but 2xx is a failure; 410 says that nobody wants it any more.
func judge(attempt, status int, err error) Outcome {
	o := Outcome{Status: status}
	switch {
	case err != nil:
		o.Error = shorten(err.Error())
	case status >= 200 && status <= 299:
		o.State = Delivered
		return o
	default:
		o.Error = fmt.Sprintf("the answer was %d", status)
	}
	if attempt > len(pauses) || status == http.StatusGone {
		o.State = Dead
		return o
	}
	pause := pauses[attempt-1]
	o.State, o.Pause = Waiting, pause+rand.N(pause/5) // #nosec G404 -- spreads attempts, hides nothing
	return o
}

func (c *Courier) post(ctx context.Context, p Parcel) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	secret, err := c.sealer.Open(SealedFor(p.Webhook), p.Secret)
	if err != nil {
		return 0, fmt.Errorf("open the webhook's secret: %w", err)
	}
	secrets := [][]byte{secret}
	// One that was sealed under a root key that is lost signs no more.
	if former, err := c.sealer.Open(SealedFor(p.Webhook), p.Former); p.Former != nil && err == nil {
		secrets = append(secrets, former)
	}
	body, err := resource.Append(nil, p.Event)
	if err != nil {
		return 0, fmt.Errorf("write the event: %w", err)
	}
	at := c.now()
	return c.poster.Post(ctx, p.URL, http.Header{
		"Content-Type":  {"application/json"},
		"User-Agent":    {"Sallyport"},
		headerID:        {p.Event.GetId()},
		headerTimestamp: {strconv.FormatInt(at.Unix(), 10)},
		headerSignature: {signatures(secrets, p.Event.GetId(), at, body)},
	}, body)
}

func shorten(text string) string { return text[:min(len(text), maxError)] }
