package api

import (
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func (s *Server) listLimits(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	all, err := s.Limits.Of(x.context(), environment.GetId())
	if err != nil {
		return err
	}
	list := &adminv1.EnvironmentLimitList{}
	for _, limit := range all {
		list.Data = append(list.Data, &adminv1.EnvironmentLimit{Name: limit.Name, Used: limit.Used, Most: limit.Most, Alarming: limit.Alarming()})
	}
	return x.send(http.StatusOK, list)
}
