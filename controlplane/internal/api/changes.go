package api

import (
	"net/http"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

func (s *Server) applyChanges(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	var wanted adminv1.ChangesRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	operations, err := publish.OperationsOf(wanted.GetOperations())
	if err != nil {
		return err
	}
	result, err := s.Publisher.Apply(x.context(), publish.Batch{
		Environment: environment.GetId(), Author: x.actor, Message: wanted.GetMessage(),
		Operations: operations, DryRun: opts.dryRun, Force: opts.force, Override: x.overrides(opts), Prefixed: true,
	})
	if err != nil {
		return err
	}
	return s.sendChanges(x, environment, opts, result)
}

func (s *Server) rollbackRevision(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	number, err := x.number()
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	var wanted adminv1.RollbackRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	result, err := s.Publisher.Rollback(x.context(), publish.Batch{
		Environment: environment.GetId(), RollbackTo: number, Author: x.actor, Message: wanted.GetMessage(), DryRun: opts.dryRun, Force: opts.force,
		Override: x.overrides(opts),
	})
	if err != nil {
		return err
	}
	return s.sendChanges(x, environment, opts, result)
}

// sendChanges answers a write of several objects.
func (s *Server) sendChanges(x *exchange, environment *adminv1.Environment, opts options, result publish.Result) error {
	answer, err := changesResponse(result, opts.dryRun)
	if err != nil {
		return err
	}
	if !opts.dryRun {
		s.announce(x, environment, opts, result)
	}
	return x.send(http.StatusOK, answer)
}

// changesResponse returns what a batch made, as the document describes it.
func changesResponse(result publish.Result, dryRun bool) (*adminv1.ChangesResponse, error) {
	changes, err := changeMessages(result.Changes)
	if err != nil {
		return nil, err
	}
	answer := &adminv1.ChangesResponse{
		DryRun: dryRun, Revision: result.Revision, Sequence: result.Sequence, Changes: changes, Warnings: result.Warnings,
		Effects: effectMessages(result.Effects()),
	}
	for _, outcome := range result.Outcomes {
		made, err := asStruct(outcome.Object)
		if err != nil {
			return nil, err
		}
		answer.Results = append(answer.Results, &adminv1.OperationResult{
			Collection: outcome.Collection, Id: outcome.ID, Name: outcome.Name, Etag: outcome.ETag, Object: made,
		})
	}
	return answer, nil
}

func changeMessages(changes []catalog.Change) ([]*adminv1.Change, error) {
	messages := make([]*adminv1.Change, len(changes))
	for i, c := range changes {
		before, err := asStruct(c.Before)
		if err != nil {
			return nil, err
		}
		after, err := asStruct(c.After)
		if err != nil {
			return nil, err
		}
		messages[i] = &adminv1.Change{
			Action: c.Action, Collection: c.Collection, Id: c.ID, Name: c.Name, Fields: c.Fields, Before: before, After: after,
		}
	}
	return messages, nil
}

// asStruct returns an object as a member of any shape; nil for none.
func asStruct(m proto.Message) (*structpb.Struct, error) {
	if m == nil {
		return nil, nil
	}
	return resource.AsStruct(m)
}
