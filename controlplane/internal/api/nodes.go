package api

import (
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// addNodes adds what is done to nodes and their groups.
func (s *Server) addNodes(handlers map[string]handler) {
	handlers["patchNode"] = s.patchNode
	handlers["getNodeHealth"] = s.getNodeHealth
	handlers["listNodeHealth"] = s.listNodeHealth
	handlers["listNodeGroups"] = s.listNodeGroups
	handlers["createNodeGroup"] = s.createNodeGroup
	handlers["getNodeGroup"] = s.getNodeGroup
	handlers["patchNodeGroup"] = s.patchNodeGroup
	handlers["deleteNodeGroup"] = s.deleteNodeGroup
}

func (s *Server) patchNode(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	node, err := s.Nodes.Patch(x.context(), environment.GetId(), key, x.body)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, node)
}

func (s *Server) getNodeHealth(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	health, err := s.Inquiries.Health(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, health)
}

func (s *Server) listNodeHealth(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Inquiries.Healths(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) listNodeGroups(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.NodeGroups.List(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createNodeGroup(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	var wanted adminv1.NodeGroup
	if err := x.decode(&wanted); err != nil {
		return err
	}
	made, err := s.NodeGroups.Create(x.context(), environment.GetId(), &wanted)
	if err != nil {
		return err
	}
	x.locate("node-groups", made.GetId())
	return x.sendObject(http.StatusCreated, made)
}

func (s *Server) getNodeGroup(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	group, err := s.NodeGroups.Get(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, group)
}

func (s *Server) patchNodeGroup(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	group, err := s.NodeGroups.Patch(x.context(), environment.GetId(), key, x.body)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, group)
}

func (s *Server) deleteNodeGroup(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	if err := s.NodeGroups.Delete(x.context(), environment.GetId(), key); err != nil {
		return err
	}
	return x.echo.NoContent(http.StatusNoContent)
}
