package api

import (
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// addRoutePolicies gives the operation that shows what stands before a route its handler.
func (s *Server) addRoutePolicies(handlers map[string]handler) {
	handlers["listRoutePolicies"] = s.listRoutePolicies
}

func (s *Server) listRoutePolicies(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	key, err := x.param("key")
	if err != nil {
		return err
	}
	policies, err := s.Catalog.RoutePolicies(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, &adminv1.RoutePolicyList{Data: policies})
}
