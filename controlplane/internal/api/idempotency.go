package api

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/proto/problem"
)

// Headers of requests that can be repeated (draft-ietf-httpapi-idempotency-key-header).
const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
)

// leaseMargin is how much longer than its operation an attempt is taken to be alive.
const leaseMargin = 5 * time.Second

// keptHeaders are the headers that are part of an answer; the others are of its way.
var keptHeaders = [...]string{echo.HeaderContentType, echo.HeaderLocation, "ETag", headerRevision, headerSequence, headerApplied}

// Idempotency makes requests safe to repeat.
type Idempotency interface {
	Begin(ctx context.Context, r idempotency.Request) (*idempotency.Reservation, *idempotency.Reply, error)
	Keep(ctx context.Context, r *idempotency.Reservation, reply idempotency.Reply)
	Release(ctx context.Context, r *idempotency.Reservation)
}

// once serves an operation. One that comes again under its key is answered as it was, and not done again.
func (s *Server) once(x *exchange, h handler) error {
	keys := x.request().Header.Values(headerIdempotencyKey)
	if x.op.method != http.MethodPost || len(keys) == 0 {
		return h(x) // other methods can be repeated as they are
	}
	if x.op.permission == access.Public || x.op.permission == access.SignedIn {
		return h(x) // who signs in is nobody yet, and a kept answer would lack the cookie
	}
	key := keys[0]
	if len(keys) > 1 {
		key = ""
	}
	reservation, reply, err := s.Idempotency.Begin(x.context(), idempotency.Request{
		Actor: x.actor.ID, Operation: x.op.id, Path: x.request().URL.EscapedPath(), Key: key, Body: x.body,
		Parts: []string{
			x.query.Encode(), x.request().Header.Get(echo.HeaderContentType),
			strings.Join(x.request().Header.Values("If-Match"), ","), strings.Join(x.request().Header.Values("If-None-Match"), ","),
		},
		Lease: x.op.timeout() + leaseMargin,
	})
	if reply != nil {
		if err := x.mayStillSee(reply); err != nil {
			return err
		}
		return x.replay(reply)
	}
	if err == nil {
		err = s.carryOut(x, h, reservation)
	}
	if problem.CodeOf(err) == problem.IdempotencyInProgress {
		x.header().Set(echo.HeaderRetryAfter, "1")
	}
	return err
}

// carryOut serves an operation under a reservation. Its answer is kept before it is sent: what a caller has seen is what it sees again.
func (s *Server) carryOut(x *exchange, h handler, reservation *idempotency.Reservation) error {
	response := x.echo.Response()
	answer := &heldAnswer{ResponseWriter: response.Writer, status: http.StatusOK}
	response.Writer = answer
	ctx := x.context()
	x.echo.SetRequest(x.request().WithContext(idempotency.With(ctx, reservation)))
	served := false
	defer func() {
		response.Writer = answer.ResponseWriter
		if !served {
			s.Idempotency.Release(ctx, reservation)
		}
	}()
	if err := h(x); err != nil {
		return err
	}
	if answer.status < http.StatusOK || answer.status >= http.StatusMultipleChoices {
		return answer.send()
	}
	served = true
	reply := answer.reply()
	reply.Held = x.held()
	s.Idempotency.Keep(ctx, reservation, reply)
	return answer.send()
}

// held is what the actor may do where the operation is.
func (x *exchange) held() []idempotency.Held {
	var all []idempotency.Held
	for _, p := range x.actor.Me().GetPermissions() {
		if x.environment == nil || p.GetEnvironment() == "" || p.GetEnvironment() == x.environment.GetId() {
			all = append(all, idempotency.Held{Environment: p.GetEnvironment(), Team: p.GetTeam(), Permissions: p.GetPermissions()})
		}
	}
	return all
}

// mayStillSee refuses a kept answer to whoever may do less than when it was given: roles are taken, and tokens of one user have scopes. It
// may show what they are no longer shown.
func (x *exchange) mayStillSee(reply *idempotency.Reply) error {
	for _, h := range reply.Held {
		place := access.Grant{Environment: h.Environment, Team: h.Team}
		permissions := make([]access.Permission, len(h.Permissions))
		for i, p := range h.Permissions {
			permissions[i] = access.Permission(p)
		}
		place.Permissions = access.SetOf(permissions...)
		if !x.actor.Grants.Cover(place) {
			return problem.Errorf(problem.Forbidden, "the first request with this key was carried out when you might do more here than now; its answer isn't shown, and nothing was done again")
		}
	}
	return nil
}

// replay answers as before.
func (x *exchange) replay(reply *idempotency.Reply) error {
	for name, value := range reply.Header {
		x.header().Set(name, value)
	}
	x.header().Set(headerReplayed, "true")
	if len(reply.Body) == 0 {
		return x.echo.NoContent(reply.Status)
	}
	return x.echo.Blob(reply.Status, reply.Header[echo.HeaderContentType], reply.Body)
}

// heldAnswer keeps an answer back until it is sent.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) WriteHeader(status int)            { a.status = status }
func (a *heldAnswer) Write(p []byte) (n int, err error) { return a.body.Write(p) }

func (a *heldAnswer) send() error {
	a.ResponseWriter.WriteHeader(a.status)
	_, err := a.ResponseWriter.Write(a.body.Bytes())
	return err
}

func (a *heldAnswer) reply() idempotency.Reply {
	reply := idempotency.Reply{Status: a.status, Header: make(map[string]string), Body: a.body.Bytes()}
	for _, name := range keptHeaders {
		if value := a.Header().Get(name); value != "" {
			reply.Header[name] = value
		}
	}
	return reply
}
