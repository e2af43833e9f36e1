package events

import (
	"context"
	"strconv"
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Occurrence is an event that nobody did, and what it must be told of once only.
type Occurrence struct {
	Event *adminv1.Event
	Cause string
}

// Store keeps the feeds.
type Store interface {
	// Events returns those behind a number, the oldest first; types none: of all.
	Events(ctx context.Context, environment string, after uint64, types []string, limit int) (events []*adminv1.Event, oldest uint64, err error)
	// Expiring returns API keys that end within ahead, or have within past, and Refusing nodes that refuse what they were sent, of which
	// nobody was told.
	Expiring(ctx context.Context, past, ahead time.Duration, limit int) ([]Occurrence, error)
	Refusing(ctx context.Context, limit int) ([]Occurrence, error)
	// Tell writes occurrences down, but those whose cause was told of.
	Tell(ctx context.Context, occurrences []Occurrence) error
	// Forget removes events that are older, and their deliveries; it returns how many.
	Forget(ctx context.Context, age time.Duration, limit int) (int, error)
}

// Hook is a webhook as it is kept.
type Hook struct {
	Environment  string
	Message      *adminv1.Webhook // without its secret
	Secret       []byte           // sealed
	Former       []byte           // sealed; nil: none
	FormerEndsAt time.Time
}

// Shelf keeps webhooks. Errors are *problem.Error.
type Shelf interface {
	InsertWebhook(ctx context.Context, h Hook, most int) error
	Webhook(ctx context.Context, environment, key string) (Hook, error)
	Webhooks(ctx context.Context, environment, after string, limit int) ([]Hook, error)
	// ChangeWebhook locks a webhook and makes it what f returns; nil deletes it.
	ChangeWebhook(ctx context.Context, environment, key string, f func(Hook) (*Hook, error)) error
	// TryWebhook writes an event that comes to one webhook alone.
	TryWebhook(ctx context.Context, hook Hook, event *adminv1.Event) (*adminv1.Event, error)
	// Deliveries returns those of a webhook below a number (0: all), the newest first, of a state ("": any).
	Deliveries(ctx context.Context, webhook string, before uint64, state string, limit int) ([]*adminv1.WebhookDelivery, error)
	// Revive has an event delivered anew, from the first attempt.
	Revive(ctx context.Context, environment, webhook string, number uint64) (*adminv1.WebhookDelivery, error)
}

// Parcel is an event on its way to a webhook.
type Parcel struct {
	Webhook     string
	Number      uint64
	Attempt     int // from 1
	URL         string
	Secret      []byte // sealed
	Former      []byte // sealed; nil: there is none, or it signs no more
	Event       *adminv1.Event
	Environment string
}

// Outcome is what became of an attempt.
type Outcome struct {
	State  string
	Pause  time.Duration // until the next attempt, while it waits
	Status int           // 0: there was no answer
	Error  string
}

// Depot keeps what is to be delivered.
type Depot interface {
	// Claim takes deliveries that are due; nobody else gets them before lease is over.
	Claim(ctx context.Context, lease time.Duration, limit int) ([]Parcel, error)
	// Settle writes down what became of one.
	Settle(ctx context.Context, p Parcel, o Outcome) error
	// Backlog counts what waits, and what was given up.
	Backlog(ctx context.Context) (waiting, dead int64, err error)
}

// Sealer seals and opens secrets under the root key.
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// SealedFor is what a webhook's secret is sealed for.
func SealedFor(webhook string) string { return "webhooks/" + webhook }

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
