package api

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// Exclusions proposes what the WAF should leave out.
type Exclusions interface {
	// Suggest proposes exclusions for a request that was refused, owned by somebody, and says what they would open.
	Suggest(ctx context.Context, environment, owner string, wish *adminv1.ExclusionWish) (*adminv1.SuggestedExclusions, error)
}

func (s *Server) addExclusions(handlers map[string]handler) {
	handlers["suggestWafExclusions"] = s.suggestWafExclusions
}

func (s *Server) suggestWafExclusions(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	var wish adminv1.ExclusionWish
	if err := x.decode(&wish); err != nil {
		return err
	}
	suggested, err := s.Exclusions.Suggest(x.context(), environment.GetId(), x.actor.Name, &wish)
	if err != nil {
		return err
	}
	if wish.GetPublish() {
		if err := s.publishExclusions(x, environment, opts, suggested); err != nil {
			return err
		}
	}
	x.header().Set("Cache-Control", "no-store")
	return x.send(http.StatusOK, suggested)
}

// publishExclusions makes what is proposed, in one batch.
func (s *Server) publishExclusions(x *exchange, environment *adminv1.Environment, opts options, suggested *adminv1.SuggestedExclusions) error {
	batch := publish.Batch{Environment: environment.GetId(), Author: x.actor, Message: "Exclusions for the request " + suggested.GetRequest()}
	for _, m := range suggested.GetProposals() {
		body, err := resource.Encode(m)
		if err != nil {
			return err
		}
		batch.Operations = append(batch.Operations, publish.Operation{Verb: publish.Create, Collection: catalog.Exclusions, Body: body})
	}
	result, err := s.Publisher.Apply(x.context(), batch)
	if err != nil {
		return err
	}
	s.announce(x, environment, opts, result)
	for i, outcome := range result.Outcomes {
		if made, ok := outcome.Object.(*configv1.WafExclusion); ok {
			suggested.Proposals[i] = made
		}
	}
	suggested.Published = true
	return nil
}
