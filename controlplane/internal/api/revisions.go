package api

import (
	"net/http"
	"strconv"

	"github.com/sallyport/sallyport/controlplane/internal/effects"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func (s *Server) listRevisions(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Catalog.Revisions(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) getRevision(x *exchange) error {
	_, revision, err := s.revision(x)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, revision)
}

func (s *Server) getRevisionStatus(x *exchange) error {
	environment, revision, err := s.revision(x)
	if err != nil {
		return err
	}
	status, err := s.Nodes.Status(x.context(), environment.GetId(), revision.GetNumber())
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, status)
}

func (s *Server) diffRevision(x *exchange) error {
	environment, revision, err := s.revision(x)
	if err != nil {
		return err
	}
	to := revision.GetNumber()
	from := to - 1
	if text := x.query.Get("from"); x.query.Has("from") {
		if from, err = strconv.ParseUint(text, 10, 63); err != nil {
			return problem.Invalid(problem.Violation{
				Pointer: "/from", Code: problem.ViolationInvalidValue, Detail: "This is no revision's number.", Given: shorten(text),
			})
		}
	}
	found, err := s.Catalog.Diff(x.context(), environment.GetId(), from, to)
	if err != nil {
		return err
	}
	diff := &adminv1.Diff{From: from, To: to, Effects: effectMessages(effects.Of(found.Before, found.After, found.Edits))}
	if diff.Changes, err = changeMessages(found.Changes()); err != nil {
		return err
	}
	return x.send(http.StatusOK, diff)
}

// revision returns the revision that the path names, and its environment.
func (s *Server) revision(x *exchange) (*adminv1.Environment, *adminv1.Revision, error) {
	environment, err := s.environment(x)
	if err != nil {
		return nil, nil, err
	}
	number, err := x.number()
	if err != nil {
		return nil, nil, err
	}
	revision, err := s.Catalog.Revision(x.context(), environment.GetId(), number)
	return environment, revision, err
}
