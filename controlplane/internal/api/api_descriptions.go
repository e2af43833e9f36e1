package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// Descriptions says what callers ask for that API descriptions don't have, and which routes they make.
type Descriptions interface {
	Undocumented(ctx context.Context, environment, key string, from, to time.Time) (*adminv1.UndocumentedEndpoints, error)
	PlanRoutes(ctx context.Context, environment, key string, ask *adminv1.PlanRoutesRequest) (*adminv1.RoutesPlan, error)
}

// addDescriptions adds what is asked about API descriptions.
func (s *Server) addDescriptions(handlers map[string]handler) {
	handlers["getUndocumentedEndpoints"] = s.getUndocumentedEndpoints
	handlers["planRoutes"] = s.planRoutes
}

func (s *Server) getUndocumentedEndpoints(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	f := s.filtersOf(x, environment.GetId())
	from, to := f.span()
	if err := f.done(); err != nil {
		return err
	}
	answer, err := s.Descriptions.Undocumented(x.context(), environment.GetId(), key, from, to)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, answer)
}

// planRoutes answers with operations, and what a dry run says of them.
func (s *Server) planRoutes(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	var wanted adminv1.PlanRoutesRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	answer, err := s.Descriptions.PlanRoutes(x.context(), environment.GetId(), key, &wanted)
	if err != nil {
		return err
	}
	if len(answer.GetOperations()) > 0 {
		if answer.Plan, err = s.tried(x, environment, answer.GetOperations()); err != nil {
			return err
		}
	}
	return x.send(http.StatusOK, answer)
}

// tried returns what operations would make.
func (s *Server) tried(x *exchange, environment *adminv1.Environment, wanted []*adminv1.Operation) (*adminv1.ChangesResponse, error) {
	operations, err := publish.OperationsOf(wanted)
	if err != nil {
		return nil, err
	}
	result, err := s.Publisher.Apply(x.context(), publish.Batch{
		Environment: environment.GetId(), Author: x.actor, Operations: operations, DryRun: true, Prefixed: true,
	})
	if err != nil {
		return nil, err
	}
	return changesResponse(result, true)
}
