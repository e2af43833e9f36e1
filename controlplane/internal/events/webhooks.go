package events

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

const (
	collection = "webhooks"
	// MostWebhooks is how many an environment may have.
	MostWebhooks = 50
	// overlap is how long the secret before a rotation signs along.
	overlap = 24 * time.Hour
)

// Webhooks makes and changes webhooks. A secret is shown once, when it is made; what is kept is sealed.
type Webhooks struct {
	shelf  Shelf
	sealer Sealer
	check  func(address string) error
	now    func() time.Time
}

// NewWebhooks returns the webhooks of a shelf. check returns what is wrong with an address that a user wrote.
func NewWebhooks(shelf Shelf, sealer Sealer, check func(address string) error) *Webhooks {
	return &Webhooks{shelf: shelf, sealer: sealer, check: check, now: time.Now}
}

// Create makes a webhook. The answer is the only one that holds its secret.
func (w *Webhooks) Create(ctx context.Context, environment string, wanted *adminv1.Webhook) (*adminv1.Webhook, error) {
	now := w.time()
	m := proto.CloneOf(wanted)
	made := id.New(now)
	m.Id = id.Text(id.Webhook, made)
	if m.GetName() == "" {
		_, digits, _ := strings.Cut(m.GetId(), "_")
		m.Name = "webhook-" + digits
	}
	if err := w.validate(new(adminv1.Webhook), wanted, m); err != nil {
		return nil, err
	}
	m.CreatedAt, m.UpdatedAt = timestamppb.New(now), timestamppb.New(now)
	material, text := newSecret()
	sealed, err := w.sealer.Seal(SealedFor(m.GetId()), material)
	if err != nil {
		return nil, err //nolint:wrapcheck // says that it is sealing
	}
	audit.Note(ctx, audit.Change{Action: "create", Collection: collection, ID: m.GetId(), Name: m.GetName(), After: m})
	if err := w.shelf.InsertWebhook(ctx, Hook{Environment: environment, Message: m, Secret: sealed}, MostWebhooks); err != nil {
		return nil, err
	}
	shown := proto.CloneOf(m)
	shown.Secret = text
	return shown, nil
}

// Get returns a webhook by id or name, without its secret.
func (w *Webhooks) Get(ctx context.Context, environment, key string) (*adminv1.Webhook, error) {
	hook, err := w.shelf.Webhook(ctx, environment, key)
	return hook.Message, err
}

// List returns a page in the order of names, without secrets.
func (w *Webhooks) List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Webhook], error) {
	plan, err := q.Plan()
	if err != nil {
		return listing.Page[*adminv1.Webhook]{}, err
	}
	hooks, err := w.shelf.Webhooks(ctx, environment, plan.After, plan.Limit+1)
	if err != nil {
		return listing.Page[*adminv1.Webhook]{}, err
	}
	messages := make([]*adminv1.Webhook, len(hooks))
	for i := range hooks {
		messages[i] = hooks[i].Message
	}
	return listing.PageOf(plan, messages, (*adminv1.Webhook).GetName), nil
}

// Patch changes a webhook by a JSON merge patch (RFC 7396).
func (w *Webhooks) Patch(ctx context.Context, environment, key string, patch []byte) (*adminv1.Webhook, error) {
	return w.change(ctx, environment, key, "update", func(h *Hook) error {
		merged, violations := resource.MergePatch(h.Message, patch)
		if len(violations) > 0 {
			return resource.AsError(violations)
		}
		after := merged.(*adminv1.Webhook)
		if err := w.validate(h.Message, after, after); err != nil {
			return err
		}
		h.Message = after
		return nil
	})
}

// Rotate gives a webhook a new secret. The one before signs along for 24 hours. The answer is the only one that holds the new one.
func (w *Webhooks) Rotate(ctx context.Context, environment, key string) (*adminv1.Webhook, error) {
	material, text := newSecret()
	m, err := w.change(ctx, environment, key, "rotate", func(h *Hook) error {
		sealed, err := w.sealer.Seal(SealedFor(h.Message.GetId()), material)
		if err != nil {
			return err //nolint:wrapcheck // says that it is sealing
		}
		h.Former, h.FormerEndsAt, h.Secret = h.Secret, w.time().Add(overlap), sealed
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown := proto.CloneOf(m)
	shown.Secret = text
	return shown, nil
}

func (w *Webhooks) change(ctx context.Context, environment, key, action string, f func(*Hook) error) (*adminv1.Webhook, error) {
	var changed *adminv1.Webhook
	err := w.shelf.ChangeWebhook(ctx, environment, key, func(before Hook) (*Hook, error) {
		after := before
		after.Message = proto.CloneOf(before.Message)
		if err := f(&after); err != nil {
			return nil, err
		}
		after.Message.UpdatedAt = timestamppb.New(w.time())
		audit.Note(ctx, audit.Change{
			Action: action, Collection: collection, ID: after.Message.GetId(), Name: after.Message.GetName(), Before: before.Message, After: after.Message,
		})
		changed = after.Message
		return &after, nil
	})
	return changed, err
}

// Delete ends a webhook, and what was to be delivered to it.
func (w *Webhooks) Delete(ctx context.Context, environment, key string) error {
	return w.shelf.ChangeWebhook(ctx, environment, key, func(before Hook) (*Hook, error) {
		m := before.Message
		audit.Note(ctx, audit.Change{Action: "delete", Collection: collection, ID: m.GetId(), Name: m.GetName(), Before: m})
		return nil, nil
	})
}

// Try has a webhook sent an event of its own.
func (w *Webhooks) Try(ctx context.Context, environment, key string) (*adminv1.Event, error) {
	hook, err := w.shelf.Webhook(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	m := hook.Message
	if m.GetDisabled() {
		return nil, problem.Errorf(problem.Conflict, "the webhook %q is disabled: nothing is posted to it", m.GetName())
	}
	audit.Note(ctx, audit.Change{Action: "try", Collection: collection, ID: m.GetId(), Name: m.GetName()})
	return w.shelf.TryWebhook(ctx, hook, &adminv1.Event{
		Type: WebhookTest, Environment: environment, Collection: collection, Object: m.GetId(), Name: m.GetName(),
	})
}

// Deliveries returns a page of what became of events at a webhook, the newest first. The state may be filtered by.
func (w *Webhooks) Deliveries(ctx context.Context, environment, key string, q listing.Query) (listing.Page[*adminv1.WebhookDelivery], error) {
	var none listing.Page[*adminv1.WebhookDelivery]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	for field := range plan.Filter {
		if field != "state" {
			return none, problem.Invalid(listing.UnknownFilter(field, "state"))
		}
	}
	var before uint64
	if plan.After != "" {
		if before, err = strconv.ParseUint(plan.After, 10, 63); err != nil {
			return none, problem.Invalid(problem.Violation{Pointer: "/cursor", Code: problem.ViolationInvalidValue, Detail: "The cursor is not one that this server made."})
		}
	}
	hook, err := w.shelf.Webhook(ctx, environment, key)
	if err != nil {
		return none, err
	}
	found, err := w.shelf.Deliveries(ctx, hook.Message.GetId(), before, plan.Filter["state"], plan.Limit+1)
	if err != nil {
		return none, err
	}
	return listing.PageOf(plan, found, func(d *adminv1.WebhookDelivery) string { return decimal(d.GetNumber()) }), nil
}

// Retry has an event delivered anew.
func (w *Webhooks) Retry(ctx context.Context, environment, key string, number uint64) (*adminv1.WebhookDelivery, error) {
	hook, err := w.shelf.Webhook(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	m := hook.Message
	audit.Note(ctx, audit.Change{Action: "retry", Collection: collection, ID: m.GetId(), Name: m.GetName(), Fields: []string{"/deliveries/" + decimal(number)}})
	return w.shelf.Revive(ctx, environment, m.GetId(), number)
}

// validate returns everything that is wrong with a webhook; given is what its writer said of it.
func (w *Webhooks) validate(before, given, m *adminv1.Webhook) error {
	violations := resource.CheckOutputOnly(before, given)
	violations = append(violations, validate.Message(m)...)
	violations = append(violations, resource.CheckName(m.GetName())...)
	violations = append(violations, unknownTypes("/types", m.GetTypes())...)
	if m.GetUrl() != "" {
		if err := w.check(m.GetUrl()); err != nil {
			violations = append(violations, problem.Violation{Pointer: "/url", Code: problem.ViolationInvalidValue, Detail: err.Error()})
		}
	}
	return problem.Invalid(violations...)
}

// time is now, as fine as Postgres keeps it.
func (w *Webhooks) time() time.Time { return w.now().UTC().Truncate(time.Microsecond) }
