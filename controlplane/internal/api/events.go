package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

type (
	// Events answers what happened in an environment.
	Events interface {
		Read(ctx context.Context, environment string, after uint64, types []string, limit int) (*adminv1.EventPage, error)
	}

	// Webhooks makes, changes and ends the addresses that events are posted to, and shows what became of them there.
	Webhooks interface {
		Create(ctx context.Context, environment string, wanted *adminv1.Webhook) (*adminv1.Webhook, error)
		Get(ctx context.Context, environment, key string) (*adminv1.Webhook, error)
		List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Webhook], error)
		Patch(ctx context.Context, environment, key string, patch []byte) (*adminv1.Webhook, error)
		Rotate(ctx context.Context, environment, key string) (*adminv1.Webhook, error)
		Delete(ctx context.Context, environment, key string) error
		Try(ctx context.Context, environment, key string) (*adminv1.Event, error)
		Deliveries(ctx context.Context, environment, key string, q listing.Query) (listing.Page[*adminv1.WebhookDelivery], error)
		Retry(ctx context.Context, environment, key string, number uint64) (*adminv1.WebhookDelivery, error)
	}
)

func (s *Server) addEvents(handlers map[string]handler) {
	handlers["listEvents"] = s.listEvents
	handlers["listWebhooks"] = s.listWebhooks
	handlers["createWebhook"] = s.createWebhook
	handlers["getWebhook"] = s.getWebhook
	handlers["patchWebhook"] = s.patchWebhook
	handlers["deleteWebhook"] = s.deleteWebhook
	handlers["rotateWebhookSecret"] = s.rotateWebhookSecret
	handlers["testWebhook"] = s.testWebhook
	handlers["listWebhookDeliveries"] = s.listWebhookDeliveries
	handlers["retryWebhookDelivery"] = s.retryWebhookDelivery
}

func (s *Server) listEvents(x *exchange) error {
	after, err := x.after()
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	plan, err := q.Plan()
	if err != nil {
		return err
	}
	var types []string
	if text := x.query.Get("types"); text != "" {
		types = strings.Split(text, ",")
	}
	page, err := s.Events.Read(x.context(), x.environment.GetId(), after, types, plan.Limit)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, page)
}

func (s *Server) listWebhooks(x *exchange) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Webhooks.List(x.context(), x.environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createWebhook(x *exchange) error {
	var wanted adminv1.Webhook
	if err := x.decode(&wanted); err != nil {
		return err
	}
	made, err := s.Webhooks.Create(x.context(), x.environment.GetId(), &wanted)
	if err != nil {
		return err
	}
	return x.sendMade(made, x.request().URL.EscapedPath()+"/")
}

func (s *Server) getWebhook(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	webhook, err := s.Webhooks.Get(x.context(), x.environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, webhook)
}

func (s *Server) patchWebhook(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	webhook, err := s.Webhooks.Patch(x.context(), x.environment.GetId(), key, x.body)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, webhook)
}

func (s *Server) deleteWebhook(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	if err := s.Webhooks.Delete(x.context(), x.environment.GetId(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) rotateWebhookSecret(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	webhook, err := s.Webhooks.Rotate(x.context(), x.environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, webhook)
}

func (s *Server) testWebhook(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	event, err := s.Webhooks.Try(x.context(), x.environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, event)
}

func (s *Server) listWebhookDeliveries(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Webhooks.Deliveries(x.context(), x.environment.GetId(), key, q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) retryWebhookDelivery(x *exchange) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	text := x.echo.Param("number")
	number, err := strconv.ParseUint(text, 10, 63) // as Postgres counts
	if err != nil {
		return problem.Errorf(problem.NotFound, "there is no event %q: events are numbered from 1", shorten(text))
	}
	delivery, err := s.Webhooks.Retry(x.context(), x.environment.GetId(), key, number)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, delivery)
}
