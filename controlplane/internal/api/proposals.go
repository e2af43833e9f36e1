package api

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/validate"
)

// Proposals files batches, and has them reviewed and published by others.
type Proposals interface {
	File(ctx context.Context, environment string, author access.Actor, wanted *adminv1.ProposalRequest, force bool) (*adminv1.Proposal, error)
	Get(ctx context.Context, environment, proposal string) (*adminv1.Proposal, error)
	List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Proposal], error)
	Approve(ctx context.Context, environment, proposal string, by access.Actor, wanted *adminv1.ApprovalRequest) (*adminv1.Proposal, error)
	Reject(ctx context.Context, environment, proposal string, by access.Actor, wanted *adminv1.RejectionRequest) (*adminv1.Proposal, error)
	Withdraw(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error)
	Refresh(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error)
	Publish(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, publish.Result, error)
}

// Face shows plans and refusals to the domain that keeps them, as every other answer shows them.
type Face struct{}

// Plan returns what a dry run told.
func (Face) Plan(result publish.Result) (*adminv1.ChangesResponse, error) {
	return changesResponse(result, true)
}

// Problem returns a refusal.
func (Face) Problem(p problem.Problem) *adminv1.Problem { return problemMessage(p) }

// permissionOverride is that of direct writes where proposals are demanded.
const permissionOverride access.Permission = "proposals.override"

// overrides tells whether a write passes although a proposal is demanded: somebody who may says that it is meant.
func (x *exchange) overrides(opts options) bool {
	return opts.force && x.actor.Grants.Within(x.environment.GetId(), permissionOverride).Whole
}

func (s *Server) addProposals(handlers map[string]handler) {
	handlers["listProposals"] = s.listProposals
	handlers["createProposal"] = s.createProposal
	handlers["getProposal"] = func(x *exchange) error { return s.onProposal(x, s.Proposals.Get) }
	handlers["approveProposal"] = s.approveProposal
	handlers["rejectProposal"] = s.rejectProposal
	handlers["withdrawProposal"] = func(x *exchange) error { return s.byActor(x, s.Proposals.Withdraw) }
	handlers["refreshProposal"] = func(x *exchange) error { return s.byActor(x, s.Proposals.Refresh) }
	handlers["publishProposal"] = s.publishProposal
}

func (s *Server) listProposals(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Proposals.List(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) createProposal(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	var wanted adminv1.ProposalRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	made, err := s.Proposals.File(x.context(), environment.GetId(), x.actor, &wanted, opts.force)
	if err != nil {
		return err
	}
	x.locate("proposals", made.GetId())
	return x.sendObject(http.StatusCreated, made)
}

// onProposal serves what is done with one proposal.
func (s *Server) onProposal(x *exchange, do func(ctx context.Context, environment, proposal string) (*adminv1.Proposal, error)) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	key, err := x.param("key")
	if err != nil {
		return err
	}
	proposal, err := do(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.sendObject(http.StatusOK, proposal)
}

// byActor is onProposal of what depends on who does it.
func (s *Server) byActor(x *exchange, do func(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error)) error {
	return s.onProposal(x, func(ctx context.Context, environment, proposal string) (*adminv1.Proposal, error) {
		return do(ctx, environment, proposal, x.actor)
	})
}

func (s *Server) approveProposal(x *exchange) error {
	var wanted adminv1.ApprovalRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	return s.byActor(x, func(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error) {
		return s.Proposals.Approve(ctx, environment, proposal, by, &wanted)
	})
}

func (s *Server) rejectProposal(x *exchange) error {
	var wanted adminv1.RejectionRequest
	if err := x.decode(&wanted); err != nil {
		return err
	}
	if err := problem.Invalid(validate.Message(&wanted)...); err != nil {
		return err
	}
	return s.byActor(x, func(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error) {
		return s.Proposals.Reject(ctx, environment, proposal, by, &wanted)
	})
}

func (s *Server) publishProposal(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	key, err := x.param("key")
	if err != nil {
		return err
	}
	opts, err := x.options()
	if err != nil {
		return err
	}
	proposal, result, err := s.Proposals.Publish(x.context(), environment.GetId(), key, x.actor)
	if err != nil {
		return err
	}
	s.announce(x, environment, opts, result)
	return x.sendObject(http.StatusOK, proposal)
}
