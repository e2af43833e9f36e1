package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func (s *Server) listEnvironments(x *exchange) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	if ids, all := x.actor.Grants.Environments(access.ReadEnvironments); !all {
		q.Within = append([]string{}, ids...)
	}
	page, err := s.Environments.List(x.context(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createEnvironment(x *exchange) error {
	var wanted adminv1.Environment
	if err := x.decode(&wanted); err != nil {
		return err
	}
	made, err := s.Environments.Create(x.context(), &wanted, x.actor)
	if err != nil {
		return err
	}
	x.header().Set(echo.HeaderLocation, "/api/v1/environments/"+made.GetId())
	return x.sendObject(http.StatusCreated, made)
}

func (s *Server) getEnvironment(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, environment)
}
