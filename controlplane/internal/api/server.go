package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
)

// Config is what a Server needs; all of it is required.
type Config struct {
	Environments Environments
	Publisher    Publisher
	Catalog      Catalog
	Directory    Directory
	JoinTokens   JoinTokens
	Nodes        Nodes
	Denials      Denials
	Keys         Keys
	NodeGroups   NodeGroups
	Inquiries    Inquiries
	Explainer    Explainer
	Callers      Callers
	Exclusions   Exclusions
	Descriptions Descriptions
	Usage        Usage
	Limits       Limits
	Issuers      Issuers
	Tokens       Tokens
	Access       *access.Books
	SignIn       SignIn
	Epochs       Epochs
	IdentitySets IdentitySets
	Proposals    Proposals
	Idempotency  Idempotency
	Audit        Audit
	Denied       Denied
	Events       Events
	Webhooks     Webhooks
	// Ready tells whether the control plane can serve; its error is logged, not shown.
	Ready  func(context.Context) error
	Logger *slog.Logger
}

// Server is the admin API. It is an http.Handler for a server that sets its own timeouts; a request
// with ?wait= may take 60 s longer than any other.
type Server struct {
	Config
	echo    *echo.Echo
	backoff *access.Backoff
	pace    *access.Pace
	origins *http.CrossOriginProtection
}

// handler serves an operation. What it returns is written as a problem.
type handler func(*exchange) error

// New returns the admin API over these domains. It fails when the document and the handlers don't
// match, or an operation names no known permission.
func New(config Config) (*Server, error) {
	operations, err := readOperations(document)
	if err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	s := &Server{Config: config, echo: echo.New(), backoff: access.NewBackoff(), pace: access.NewPace(), origins: http.NewCrossOriginProtection()}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.Logger.SetOutput(io.Discard) // ours is slog
	s.echo.HTTPErrorHandler = s.writeError
	s.echo.Use(s.frame)
	if err := s.register(operations, s.handlers()); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// register gives each operation its handler.
func (s *Server) register(operations []*operation, handlers map[string]handler) error {
	var errs []error
	for _, op := range operations {
		h, ok := handlers[op.id]
		if !ok {
			errs = append(errs, fmt.Errorf("operation %s has no handler", op.id))
			continue
		}
		delete(handlers, op.id)
		if !access.Known(op.permission) {
			errs = append(errs, fmt.Errorf("operation %s has no known permission (x-permission is %q)", op.id, op.permission))
			continue
		}
		s.echo.Add(op.method, op.route(), s.serve(op, h))
	}
	for id := range handlers {
		errs = append(errs, fmt.Errorf("handler %s serves no operation of the document", id))
	}
	return errors.Join(errs...)
}

// serve is what stands before every handler: who asks, whether they may, and whether the request has
// the form that the document asks for.
func (s *Server) serve(op *operation, h handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &exchange{echo: c, op: op}
		ctx, cancel := context.WithTimeout(x.context(), op.timeout())
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		err := s.answer(x, h)
		s.recordDenial(x, err)
		return err
	}
}

func (s *Server) answer(x *exchange, h handler) error {
	if err := s.admit(x); err != nil {
		return err
	}
	x.beginEvent()
	if err := x.readQuery(); err != nil {
		return err
	}
	if err := x.readBody(); err != nil {
		return err
	}
	return s.once(x, h)
}

// handlers returns the handler of each operation, by its id.
func (s *Server) handlers() map[string]handler {
	handlers := map[string]handler{
		"listEnvironments":  s.listEnvironments,
		"createEnvironment": s.createEnvironment,
		"getEnvironment":    s.getEnvironment,
		"listLimits":        s.listLimits,
		"listEpochs":        s.listEpochs,
		"getIdentityKeys":   s.getIdentityKeys,

		"applyChanges":      s.applyChanges,
		"listRevisions":     s.listRevisions,
		"getRevision":       s.getRevision,
		"getRevisionStatus": s.getRevisionStatus,
		"diffRevision":      s.diffRevision,
		"rollbackRevision":  s.rollbackRevision,

		"listJoinTokens":     s.listJoinTokens,
		"createJoinToken":    s.createJoinToken,
		"getJoinToken":       s.getJoinToken,
		"deleteJoinToken":    s.deleteJoinToken,
		"listNodes":          s.listNodes,
		"getNode":            s.getNode,
		"disableNode":        s.setNode(false),
		"enableNode":         s.setNode(true),
		"getUsage":           s.getUsage,
		"getCredentialUsage": s.getCredentialUsage,
		"getFindingUsage":    s.getFindingUsage,
		"listRequests":       s.listRequests,
		"getRequest":         s.getRequest,

		"listPolicyKinds":   s.listPolicyKinds,
		"getPolicyKind":     s.getPolicyKind,
		"listAccessTokens":  s.listAccessTokens,
		"createAccessToken": s.createAccessToken,
		"getAccessToken":    s.getAccessToken,
		"deleteAccessToken": s.deleteAccessToken,

		"getOpenAPI":   s.getOpenAPI,
		"getHealth":    s.getHealth,
		"getReadiness": s.getReadiness,
	}
	s.addCollections(handlers)
	s.addDenials(handlers)
	s.addKeyLife(handlers)
	s.addNodes(handlers)
	s.addIssuers(handlers)
	s.addProblems(handlers)
	s.addProposals(handlers)
	s.addExplain(handlers)
	s.addExclusions(handlers)
	s.addAudit(handlers)
	s.addAccess(handlers)
	s.addSignIn(handlers)
	s.addRoutePolicies(handlers)
	s.addEvents(handlers)
	s.addRouteAccess(handlers)
	s.addDescriptions(handlers)
	return handlers
}
