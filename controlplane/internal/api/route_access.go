package api

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Callers says who can call routes.
type Callers interface {
	// Access says who can call a route, by id or name; with people, what becomes of consumers too.
	Access(ctx context.Context, environment, route string, people bool) (*adminv1.RouteAccess, error)
}

// permissionConsumers is that of consumers: without it nothing is said of them.
const permissionConsumers access.Permission = "consumers.read"

func (s *Server) addRouteAccess(handlers map[string]handler) {
	handlers["getRouteAccess"] = s.getRouteAccess
}

func (s *Server) getRouteAccess(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	key, err := x.param("key")
	if err != nil {
		return err
	}
	people := x.actor.Grants.Within(environment.GetId(), permissionConsumers).Whole
	answer, err := s.Callers.Access(x.context(), environment.GetId(), key, people)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, answer)
}
