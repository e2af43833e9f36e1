package api

import (
	"context"
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Explainer asks nodes what they would do with a request.
type Explainer interface {
	// Explain asks one node, by id or name; "" is any that is connected. problem.NodeUnreachable when it doesn't answer.
	Explain(ctx context.Context, environment, node string, request *adminv1.HypotheticalRequest) (*adminv1.Explanations, error)
	// ExplainAll asks every connected node. One that doesn't answer is told of in its place.
	ExplainAll(ctx context.Context, environment string, request *adminv1.HypotheticalRequest) (*adminv1.Explanations, error)
}

func (s *Server) addExplain(handlers map[string]handler) { handlers["explain"] = s.explain }

func (s *Server) explain(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	if err := checkWhom(x); err != nil {
		return err
	}
	var request adminv1.HypotheticalRequest
	if err := x.decode(&request); err != nil {
		return err
	}
	var explained *adminv1.Explanations
	if x.query.Has("nodes") {
		explained, err = s.Explainer.ExplainAll(x.context(), environment.GetId(), &request)
	} else {
		explained, err = s.Explainer.Explain(x.context(), environment.GetId(), x.query.Get("node"), &request)
	}
	if err != nil {
		return err
	}
	x.header().Set("Cache-Control", "no-store")
	return x.send(http.StatusOK, explained)
}

// checkWhom refuses what names no node, and both ways of naming them at once.
func checkWhom(x *exchange) error {
	var violations []problem.Violation
	if node := x.query.Get("node"); x.query.Has("node") && (node == "" || len(node) > maxKey) {
		violations = append(violations, problem.Violation{
			Pointer: "/node", Code: problem.ViolationInvalidValue, Detail: "The node is an id or a name of at most 128 bytes.", Given: shorten(node),
		})
	}
	if nodes := x.query.Get("nodes"); x.query.Has("nodes") && (nodes != "all" || x.query.Has("node")) {
		violations = append(violations, problem.Violation{
			Pointer: "/nodes", Code: problem.ViolationInvalidValue, Detail: "All nodes are asked, or the one that node names.", Given: shorten(nodes), Allowed: "all",
		})
	}
	return problem.Invalid(violations...)
}
