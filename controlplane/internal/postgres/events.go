package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Events keeps the feeds of events, and the webhooks that they are posted to.
type Events struct{ db *DB }

var (
	_ events.Store = (*Events)(nil)
	_ events.Shelf = (*Events)(nil)
	_ events.Depot = (*Events)(nil)
)

// Events returns those in this database.
func (db *DB) Events() *Events { return &Events{db} }

// appendEvents gives the events of one environment their places, behind the lock of its feed's head, which is held until the commit: so
// numbers are in the order of commits. only "": they are delivered to whoever wants them, else to that webhook alone.
func appendEvents(ctx context.Context, q *dbsqlc.Queries, environment, only string, occurrences []events.Occurrence) error {
	params := dbsqlc.AppendEventsParams{Environment: environment, Webhook: only}
	now := time.Now()
	for _, o := range occurrences {
		o.Event.Id = id.Text(id.Event, id.New(now))
		message, err := proto.Marshal(&adminv1.Event{
			Collection: o.Event.GetCollection(), Object: o.Event.GetObject(), Name: o.Event.GetName(), Actor: o.Event.GetActor(),
			Operation: o.Event.GetOperation(), Facts: o.Event.GetFacts(),
		})
		if err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
		params.Ids, params.Types = append(params.Ids, o.Event.GetId()), append(params.Types, o.Event.GetType())
		params.Messages, params.Causes = append(params.Messages, message), append(params.Causes, o.Cause)
	}
	rows, err := q.AppendEvents(ctx, params)
	if err != nil {
		return fmt.Errorf("append to the feed of events: %w", err)
	}
	if len(rows) != len(occurrences) {
		return fmt.Errorf("append to the feed of events: %d of %d were written", len(rows), len(occurrences))
	}
	for i, o := range occurrences {
		o.Event.Number, o.Event.Time = uint64(rows[i].Number), timestamppb.New(rows[i].At)
	}
	return nil
}

// tellOf writes what an audit event means to those who listen, in its transaction.
func tellOf(ctx context.Context, q *dbsqlc.Queries, audited *adminv1.AuditEvent) error {
	drawn := events.FromAudit(audited)
	if len(drawn) == 0 {
		return nil
	}
	occurrences := make([]events.Occurrence, len(drawn))
	for i, event := range drawn {
		occurrences[i].Event = event
	}
	return appendEvents(ctx, q, audited.GetEnvironment(), "", occurrences)
}

// Tell implements events.Store: each environment's in a transaction of its own.
func (s *Events) Tell(ctx context.Context, occurrences []events.Occurrence) error {
	of := map[string][]events.Occurrence{}
	for _, o := range occurrences {
		of[o.Event.GetEnvironment()] = append(of[o.Event.GetEnvironment()], o)
	}
	for environment, news := range of {
		news, err := untold(ctx, s.db.q, environment, news)
		if err != nil {
			return translate(err)
		}
		if len(news) == 0 {
			continue
		}
		if err := s.db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
			return tellNews(ctx, q, environment, news)
		}); err != nil {
			return err
		}
	}
	return nil
}

// tellNews looks again behind the lock: another replica may have come first.
func tellNews(ctx context.Context, q *dbsqlc.Queries, environment string, news []events.Occurrence) error {
	if err := q.LockEventHead(ctx, environment); err != nil {
		return fmt.Errorf("lock the feed of events: %w", err)
	}
	news, err := untold(ctx, q, environment, news)
	if err != nil || len(news) == 0 {
		return err
	}
	return appendEvents(ctx, q, environment, "", news)
}

// untold are those occurrences whose cause isn't in the feed.
func untold(ctx context.Context, q *dbsqlc.Queries, environment string, occurrences []events.Occurrence) ([]events.Occurrence, error) {
	var kept []events.Occurrence
	for _, o := range occurrences {
		told, err := q.HasEventOf(ctx, dbsqlc.HasEventOfParams{Environment: environment, Cause: o.Cause})
		if err != nil {
			return nil, fmt.Errorf("look for an event: %w", err)
		}
		if !told {
			kept = append(kept, o)
		}
	}
	return kept, nil
}

// Events implements events.Store.
func (s *Events) Events(ctx context.Context, environment string, after uint64, types []string, limit int) (found []*adminv1.Event, oldest uint64, err error) {
	if types == nil {
		types = []string{}
	}
	rows, err := s.db.q.ListEvents(ctx, dbsqlc.ListEventsParams{Environment: environment, After: int64(after), Types: types, Most: int32(limit)})
	if err != nil {
		return nil, 0, translate(err)
	}
	first, err := s.db.q.OldestEvent(ctx, environment)
	if err != nil {
		return nil, 0, translate(err)
	}
	for _, row := range rows {
		event, err := eventOf(environment, row.Number, row.ID, row.Type, row.At, row.Message)
		if err != nil {
			return nil, 0, err
		}
		found = append(found, event)
	}
	return found, uint64(first), nil
}

func eventOf(environment string, number int64, eventID, kind string, at time.Time, message []byte) (*adminv1.Event, error) {
	event := new(adminv1.Event)
	if err := proto.Unmarshal(message, event); err != nil {
		return nil, fmt.Errorf("read an event: %w", err)
	}
	event.Environment, event.Number, event.Id, event.Type, event.Time = environment, uint64(number), eventID, kind, timestamppb.New(at)
	return event, nil
}

// Expiring implements events.Store.
func (s *Events) Expiring(ctx context.Context, past, ahead time.Duration, limit int) ([]events.Occurrence, error) {
	rows, err := s.db.q.ExpiringKeys(ctx, dbsqlc.ExpiringKeysParams{Past: interval(past), Ahead: interval(ahead), Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	occurrences := make([]events.Occurrence, len(rows))
	for i, row := range rows {
		kind := events.KeyExpiring
		if row.Expired {
			kind = events.KeyExpired
		}
		occurrences[i] = events.Occurrence{Cause: row.Cause, Event: &adminv1.Event{
			Type: kind, Environment: row.Environment, Collection: "api-keys", Object: row.ID, Name: row.Name,
			Facts: map[string]string{"consumer": row.Consumer, "consumer_name": row.ConsumerName, "expires_at": row.ExpiresAt.UTC().Format(time.RFC3339Nano)},
		}}
	}
	return occurrences, nil
}

// Refusing implements events.Store.
func (s *Events) Refusing(ctx context.Context, limit int) ([]events.Occurrence, error) {
	rows, err := s.db.q.RefusingNodes(ctx, int32(limit))
	if err != nil {
		return nil, translate(err)
	}
	occurrences := make([]events.Occurrence, len(rows))
	for i, row := range rows {
		var reasons []refusal
		if err := json.Unmarshal(row.Errors, &reasons); err != nil {
			return nil, fmt.Errorf("read why node %s refused a state: %w", row.ID, err)
		}
		facts := map[string]string{"lane": laneName(row.Lane), "number": strconv.FormatInt(row.Refused, 10)}
		if len(reasons) > 0 {
			facts["reason"], facts["code"] = reasons[0].Message, reasons[0].Code
		}
		occurrences[i] = events.Occurrence{Cause: row.Cause, Event: &adminv1.Event{
			Type: events.NodeRefused, Environment: row.Environment, Collection: "nodes", Object: row.ID, Name: row.Name, Facts: facts,
		}}
	}
	return occurrences, nil
}

func laneName(lane int16) string {
	if edgev1.Lane(lane) == edgev1.Lane_LANE_DIRECTORY {
		return "directory"
	}
	return "configuration"
}

// Forget implements events.Store.
func (s *Events) Forget(ctx context.Context, age time.Duration, limit int) (int, error) {
	n, err := s.db.q.ForgetEvents(ctx, dbsqlc.ForgetEventsParams{Retention: interval(age), Most: int32(limit)})
	return int(n), translate(err)
}

// Claim implements events.Depot.
func (s *Events) Claim(ctx context.Context, lease time.Duration, limit int) ([]events.Parcel, error) {
	rows, err := s.db.q.ClaimDeliveries(ctx, dbsqlc.ClaimDeliveriesParams{Lease: interval(lease), Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	parcels := make([]events.Parcel, len(rows))
	for i, row := range rows {
		event, err := eventOf(row.Environment, row.Number, row.ID, row.Type, row.At, row.Message)
		if err != nil {
			return nil, err
		}
		parcels[i] = events.Parcel{
			Webhook: row.Webhook, Environment: row.Environment, Number: uint64(row.Number), Attempt: int(row.Attempts), Event: event,
			URL: row.Url, Secret: row.Secret, Former: row.Former,
		}
	}
	return parcels, nil
}

// Settle implements events.Depot. An attempt that somebody else has begun since counts instead.
func (s *Events) Settle(ctx context.Context, p events.Parcel, o events.Outcome) error {
	return translate(s.db.q.SettleDelivery(ctx, dbsqlc.SettleDeliveryParams{
		Webhook: p.Webhook, Number: int64(p.Number), Attempts: int32(p.Attempt), State: o.State, Pause: interval(o.Pause), Status: int32(o.Status), Error: o.Error,
	}))
}

// Backlog implements events.Depot.
func (s *Events) Backlog(ctx context.Context) (waiting, dead int64, err error) {
	row, err := s.db.q.CountDeliveries(ctx)
	return row.Waiting, row.Dead, translate(err)
}

// InsertWebhook implements events.Shelf.
func (s *Events) InsertWebhook(ctx context.Context, h events.Hook, most int) error {
	m := h.Message
	return s.recorded(ctx, h.Environment, func(q *dbsqlc.Queries) error {
		noteMade(ctx, m.GetId())
		if n, err := q.CountWebhooks(ctx, h.Environment); err != nil || n >= int64(most) {
			return errors.Join(err, problem.Errorf(problem.LimitReached, "an environment has at most %d webhooks", most))
		}
		return webhookTaken(q.InsertWebhook(ctx, dbsqlc.InsertWebhookParams{
			Environment: h.Environment, ID: m.GetId(), Name: m.GetName(), Description: m.GetDescription(), Url: m.GetUrl(), Types: orNone(m.GetTypes()),
			Disabled: m.GetDisabled(), Secret: h.Secret, CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
		}))
	})
}

// recorded runs f in a transaction that writes the audit event of the operation under way.
func (s *Events) recorded(ctx context.Context, environment string, f func(*dbsqlc.Queries) error) error {
	return translate(recorded(ctx, s.db.pool, s.db.q, environment, "change webhook", func(_ pgx.Tx, q *dbsqlc.Queries) error { return f(q) }))
}

func webhookTaken(err error) error {
	if violates(err, "webhooks_name") {
		return problem.Wrap(err, problem.NameTaken, "another webhook has this name")
	}
	return err
}

func orNone(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

// Webhook implements events.Shelf.
func (s *Events) Webhook(ctx context.Context, environment, key string) (events.Hook, error) {
	row, err := s.db.q.FindWebhook(ctx, dbsqlc.FindWebhookParams{Environment: environment, Key: key})
	return hookOf(row), orNotFound(err, "there is no webhook %q", key)
}

func hookOf(row dbsqlc.Webhook) events.Hook {
	return events.Hook{
		Environment: row.Environment, Secret: row.Secret, Former: row.Former, FormerEndsAt: orZero(row.FormerEndsAt),
		Message: &adminv1.Webhook{
			Id: row.ID, Name: row.Name, Description: row.Description, Url: row.Url, Types: row.Types, Disabled: row.Disabled,
			CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
		},
	}
}

// Webhooks implements events.Shelf.
func (s *Events) Webhooks(ctx context.Context, environment, after string, limit int) ([]events.Hook, error) {
	rows, err := s.db.q.ListWebhooks(ctx, dbsqlc.ListWebhooksParams{Environment: environment, After: after, Most: int32(limit)})
	hooks := make([]events.Hook, len(rows))
	for i, row := range rows {
		hooks[i] = hookOf(row)
	}
	return hooks, translate(err)
}

// ChangeWebhook implements events.Shelf.
func (s *Events) ChangeWebhook(ctx context.Context, environment, key string, f func(events.Hook) (*events.Hook, error)) error {
	return s.recorded(ctx, environment, func(q *dbsqlc.Queries) error {
		row, err := q.LockWebhook(ctx, dbsqlc.LockWebhookParams{Environment: environment, Key: key})
		if err != nil {
			return orNotFound(err, "there is no webhook %q", key)
		}
		after, err := f(hookOf(row))
		if err != nil {
			return err
		}
		if after == nil {
			return q.DeleteWebhook(ctx, row.ID)
		}
		m := after.Message
		return webhookTaken(q.UpdateWebhook(ctx, dbsqlc.UpdateWebhookParams{
			ID: row.ID, Name: m.GetName(), Description: m.GetDescription(), Url: m.GetUrl(), Types: orNone(m.GetTypes()), Disabled: m.GetDisabled(),
			Secret: after.Secret, Former: after.Former, FormerEndsAt: orNull(after.FormerEndsAt), UpdatedAt: m.GetUpdatedAt().AsTime(),
		}))
	})
}

// TryWebhook implements events.Shelf.
func (s *Events) TryWebhook(ctx context.Context, hook events.Hook, event *adminv1.Event) (*adminv1.Event, error) {
	err := s.recorded(ctx, hook.Environment, func(q *dbsqlc.Queries) error {
		return appendEvents(ctx, q, hook.Environment, hook.Message.GetId(), []events.Occurrence{{Event: event}})
	})
	return event, err
}

// Deliveries implements events.Shelf.
func (s *Events) Deliveries(ctx context.Context, webhook string, before uint64, state string, limit int) ([]*adminv1.WebhookDelivery, error) {
	rows, err := s.db.q.ListDeliveries(ctx, dbsqlc.ListDeliveriesParams{Webhook: webhook, Before: int64(before), State: state, Most: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	deliveries := make([]*adminv1.WebhookDelivery, len(rows))
	for i, row := range rows {
		deliveries[i] = deliveryOf(row.State, row.Attempts, row.Status, row.Error, row.DueAt, row.DeliveredAt)
		deliveries[i].Number, deliveries[i].Event, deliveries[i].Type = uint64(row.Number), row.ID, row.Type
	}
	return deliveries, nil
}

func deliveryOf(state string, attempts, status int32, why string, due time.Time, delivered *time.Time) *adminv1.WebhookDelivery {
	d := &adminv1.WebhookDelivery{State: state, Attempts: uint32(attempts), Status: uint32(status), Error: why}
	if state == events.Waiting {
		d.DueAt = timestamppb.New(due)
	}
	if delivered != nil {
		d.DeliveredAt = timestamppb.New(*delivered)
	}
	return d
}

// Revive implements events.Shelf.
func (s *Events) Revive(ctx context.Context, environment, webhook string, number uint64) (*adminv1.WebhookDelivery, error) {
	var revived *adminv1.WebhookDelivery
	err := s.recorded(ctx, environment, func(q *dbsqlc.Queries) error {
		row, err := q.ReviveDelivery(ctx, dbsqlc.ReviveDeliveryParams{Webhook: webhook, Number: int64(number)})
		if err != nil {
			return orNotFound(err, "no event %d was to be delivered to this webhook", number)
		}
		revived = deliveryOf(row.State, row.Attempts, row.Status, row.Error, row.DueAt, row.DeliveredAt)
		revived.Number = number
		return nil
	})
	return revived, err
}

// resealWebhooks seals the secrets of webhooks anew.
func resealWebhooks(ctx context.Context, q *dbsqlc.Queries, reseal func(string, []byte) ([]byte, error)) (int, error) {
	rows, err := q.ListSealedWebhooks(ctx)
	if err != nil {
		return 0, fmt.Errorf("list webhooks: %w", err)
	}
	for _, row := range rows {
		for _, sealed := range []*[]byte{&row.Secret, &row.Former} {
			if *sealed == nil {
				continue
			}
			if *sealed, err = reseal(events.SealedFor(row.ID), *sealed); err != nil {
				return 0, err
			}
		}
		if err := q.ResealWebhook(ctx, dbsqlc.ResealWebhookParams{ID: row.ID, Secret: row.Secret, Former: row.Former}); err != nil {
			return 0, fmt.Errorf("write webhook %s: %w", row.ID, err)
		}
	}
	return len(rows), nil
}
