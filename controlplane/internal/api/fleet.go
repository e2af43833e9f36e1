package api

import (
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

func (s *Server) listJoinTokens(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.JoinTokens.List(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createJoinToken(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	var wanted adminv1.JoinToken
	if err := x.decode(&wanted); err != nil {
		return err
	}
	made, err := s.JoinTokens.Create(x.context(), environment.GetId(), &wanted)
	if err != nil {
		return err
	}
	x.locate("join-tokens", made.GetId())
	return x.sendObject(http.StatusCreated, made)
}

func (s *Server) getJoinToken(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	token, err := s.JoinTokens.Get(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, token)
}

func (s *Server) deleteJoinToken(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	if err := s.JoinTokens.Delete(x.context(), environment.GetId(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}

func (s *Server) listNodes(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Nodes.List(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) getNode(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	node, err := s.Nodes.Get(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, node)
}

// setNode turns a node off or on.
func (s *Server) setNode(enabled bool) handler {
	return func(x *exchange) error {
		environment, key, err := s.keyed(x)
		if err != nil {
			return err
		}
		node, err := s.Nodes.SetEnabled(x.context(), environment.GetId(), key, enabled)
		if err != nil {
			return err
		}
		return x.sendObject(http.StatusOK, node)
	}
}

// keyed returns the environment and the key that the path names.
func (s *Server) keyed(x *exchange) (*adminv1.Environment, string, error) {
	environment, err := s.environment(x)
	if err != nil {
		return nil, "", err
	}
	key, err := x.param("key")
	return environment, key, err
}
