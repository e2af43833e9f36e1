package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

type (
	// Audit answers who did what. The chain is an environment's id, or "" for the global one.
	Audit interface {
		List(ctx context.Context, chain string, q listing.Query, span audit.Span) (listing.Page[*adminv1.AuditEvent], error)
		Get(ctx context.Context, chain, id string) (*adminv1.AuditEvent, error)
		Export(ctx context.Context, chain string, after uint64, span audit.Span, each func(*adminv1.AuditEvent) error) error
		Status(ctx context.Context, chain string) (*adminv1.AuditStatus, error)
	}

	// Denied records what was denied. It never waits.
	Denied interface {
		Refused(origin audit.Origin, environment, code, message string)
		BadToken(origin audit.Origin, address netip.Addr, code, message string)
	}
)

// mediaLines is that of a stream of JSON objects, one on each line.
const mediaLines = "application/x-ndjson"

func (s *Server) addAudit(handlers map[string]handler) {
	for id, h := range map[string]func(*exchange, string) error{
		"AuditEvents": s.listAuditEvents, "AuditEvent": s.getAuditEvent, "AuditStatus": s.getAuditStatus, "AuditEventsExport": s.exportAuditEvents,
	} {
		global, own := auditOperations(id)
		handlers[global] = func(x *exchange) error { return h(x, "") }
		handlers[own] = func(x *exchange) error {
			environment, err := s.environment(x)
			if err != nil {
				return err
			}
			return h(x, environment.GetId())
		}
	}
}

// auditOperations returns the ids of an operation on the global chain, and on an environment's.
func auditOperations(what string) (global, own string) {
	switch what {
	case "AuditEvents":
		return "listAuditEvents", "listEnvironmentAuditEvents"
	case "AuditEventsExport":
		return "exportAuditEvents", "exportEnvironmentAuditEvents"
	default:
		return "get" + what, "getEnvironment" + what
	}
}

func (s *Server) listAuditEvents(x *exchange, chain string) error {
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	span, err := x.span()
	if err != nil {
		return err
	}
	page, err := s.Audit.List(x.context(), chain, q, span)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}

func (s *Server) getAuditEvent(x *exchange, chain string) error {
	key, err := x.param("key")
	if err != nil {
		return err
	}
	event, err := s.Audit.Get(x.context(), chain, key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, event)
}

func (s *Server) getAuditStatus(x *exchange, chain string) error {
	status, err := s.Audit.Status(x.context(), chain)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, status)
}

// exportAuditEvents writes an event on each line, as it reads them: neither side holds them all. What fails in between is told
// by the last line that is missing.
func (s *Server) exportAuditEvents(x *exchange, chain string) error {
	span, err := x.span()
	if err != nil {
		return err
	}
	after, err := x.after()
	if err != nil {
		return err
	}
	x.header().Set(echo.HeaderContentType, mediaLines)
	var exported, last uint64
	var line []byte
	err = s.Audit.Export(x.context(), chain, after, span, func(e *adminv1.AuditEvent) error {
		var err error
		if line, err = resource.Append(line[:0], e); err != nil {
			return err
		}
		exported, last = exported+1, e.GetNumber()
		_, err = x.echo.Response().Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	end := `{"exported":` + strconv.FormatUint(exported, 10)
	if exported > 0 {
		end += `,"last":` + strconv.FormatUint(last, 10)
	}
	_, err = x.echo.Response().Write([]byte(end + "}\n"))
	return err
}

func (x *exchange) span() (audit.Span, error) {
	var span audit.Span
	var violations []problem.Violation
	span.From, violations = x.time("from", violations)
	span.To, violations = x.time("to", violations)
	return span, problem.Invalid(violations...)
}

// after returns the number that an export goes on behind.
func (x *exchange) after() (uint64, error) {
	text := x.query.Get("after")
	if !x.query.Has("after") {
		return 0, nil
	}
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, problem.Invalid(invalidParameter("after", "This is no number of an event.", text, "a whole number"))
	}
	return number, nil
}

// beginEvent begins the event of an operation that may change something. It is written with the change.
func (x *exchange) beginEvent() {
	if x.op.method != http.MethodGet {
		x.record()
	}
}

// record begins the event of the operation.
func (x *exchange) record() {
	x.echo.SetRequest(x.request().WithContext(audit.WithDraft(x.context(), audit.NewDraft(x.origin()))))
}

func (x *exchange) origin() audit.Origin {
	address := ""
	if from := peer(x.request().RemoteAddr); from.IsValid() {
		address = from.String()
	}
	return audit.Origin{
		Actor:   audit.Actor{ID: x.actor.ID, Name: x.actor.Name, Role: x.actor.Role},
		Address: address, Operation: x.op.id, Route: x.op.method + " " + x.op.path, RequestID: requestID(x.echo),
	}
}

// recordDenial records that an operation was denied: to somebody who is known, or to one who presented a token that could be ours. Anything
// else that isn't let in is noise.
func (s *Server) recordDenial(x *exchange, err error) {
	code := problem.CodeOf(err)
	if detail, denied := denialIn(err); denied {
		s.Denied.Refused(x.origin(), s.environmentID(x), string(code), detail)
	}
	if code != problem.Unauthenticated {
		return
	}
	token, malformed := bearer(x.request())
	if id, ok := access.LooksLikeToken(token); malformed == nil && ok {
		s.Denied.BadToken(x.origin(), peer(x.request().RemoteAddr), string(code), "a token that names "+id+", which isn't that token or has ended")
	}
}

// denialIn returns what of a refusal says that somebody may not do this: all of it, or a part that they hid among other mistakes.
func denialIn(err error) (detail string, denied bool) {
	shown := problem.From(err)
	if shown.Status == http.StatusForbidden {
		return shown.Detail, true
	}
	for _, v := range shown.Errors {
		if v.Code == string(problem.Forbidden) {
			return v.Detail, true
		}
	}
	return "", false
}

// environmentID returns the id of the environment in the path; "" if there is none such.
func (s *Server) environmentID(x *exchange) string {
	key, err := x.param("environment")
	if err != nil {
		return ""
	}
	found, err := s.Environments.Get(x.context(), key)
	if err != nil {
		return ""
	}
	return found.GetId()
}
