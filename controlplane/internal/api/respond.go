package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Media types of answers.
const (
	mediaJSON = "application/json"
	// mediaPlan is that of a dry run's plan where the answer otherwise is an object, so that no client
	// takes the one for the other.
	mediaPlan = "application/vnd.sallyport.plan+json"
)

// send writes a message.
func (x *exchange) send(status int, m proto.Message) error { return x.sendAs(status, mediaJSON, m) }

func (x *exchange) sendAs(status int, media string, m proto.Message) error {
	body, err := resource.Encode(m)
	if err != nil {
		return err
	}
	return x.echo.Blob(status, media, body)
}

// sendObject writes a message that stands for itself: its ETag is that of its bytes.
func (x *exchange) sendObject(status int, m proto.Message) error {
	stored, err := resource.Stored(m)
	if err != nil {
		return err
	}
	x.header().Set("ETag", resource.ETag(stored))
	return x.send(status, m)
}

// sendPage writes a page of a list.
func sendPage[T any](x *exchange, page listing.Page[T], message func(T) proto.Message) error {
	body, err := appendPage(page, message)
	if err != nil {
		return err
	}
	return x.echo.Blob(http.StatusOK, mediaJSON, append(body, '}'))
}

// appendPage returns a page of a list that is still open for further members.
func appendPage[T any](page listing.Page[T], message func(T) proto.Message) ([]byte, error) {
	body := []byte(`{"data":[`)
	for i, item := range page.Items {
		if i > 0 {
			body = append(body, ',')
		}
		var err error
		if body, err = resource.Append(body, message(item)); err != nil {
			return nil, err
		}
	}
	body = append(body, `],"next_cursor":`...)
	if page.Next == "" {
		return append(body, "null"...), nil
	}
	return strconv.AppendQuote(body, page.Next), nil // base64url: needs no escape that differs from JSON's
}

// itself is for sendPage of messages.
func itself[M proto.Message](m M) proto.Message { return m }

// writeError is the one place where an error becomes an answer. What isn't meant to be seen is logged
// under the request id and answered as "internal".
func (s *Server) writeError(err error, c echo.Context) {
	shown := s.problemOf(err, c)
	if c.Response().Committed {
		return // the status is out; the caller sees a body cut short
	}
	shown.RequestID = requestID(c)
	c.Response().Header().Del("ETag")
	c.Response().Header().Del(echo.HeaderLocation)
	body, err := resource.Encode(problemMessage(shown))
	if err == nil {
		err = c.Blob(shown.Status, problem.ContentType, body)
	}
	if err != nil {
		s.Logger.WarnContext(c.Request().Context(), "can't write a problem", "request_id", requestID(c), "error", err)
	}
}

// problemOf returns what may be shown of an error, and logs the rest.
func (s *Server) problemOf(err error, c echo.Context) problem.Problem {
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		return routingProblem(routing)
	}
	ctx := c.Request().Context()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return problem.New(problem.Unavailable, "the request was given up") // nobody is left to read it
	}
	shown := problem.From(err)
	if shown.Code == problem.Internal && isOutage(err) {
		shown = problem.New(problem.Unavailable, "something that this needs doesn't answer at the moment")
	}
	if shown.Status >= http.StatusInternalServerError {
		s.Logger.LogAttrs(ctx, slog.LevelError, "admin request failed",
			slog.String("request_id", requestID(c)), slog.String("route", c.Path()), slog.Any("error", err))
	}
	return shown
}

// isOutage tells whether an error comes of a connection or a deadline rather than of us.
func isOutage(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network)
}

// routingProblem is the problem of a request that met no operation. Echo has set Allow already.
func routingProblem(err *echo.HTTPError) problem.Problem {
	switch err.Code {
	case http.StatusNotFound:
		return problem.New(problem.NotFound, "the API has no such path")
	case http.StatusMethodNotAllowed:
		return problem.New(problem.MethodNotAllowed, "this path doesn't take the method; the Allow header lists those it takes")
	}
	return problem.New(problem.Internal, "")
}

// problemMessage returns a problem as the document describes it.
func problemMessage(p problem.Problem) *adminv1.Problem {
	m := &adminv1.Problem{
		Type: p.Type, Title: p.Title, Status: uint32(p.Status), Code: string(p.Code), Detail: p.Detail, RequestId: p.RequestID,
	}
	for _, v := range p.Errors {
		m.Errors = append(m.Errors, &adminv1.FieldError{
			Pointer: v.Pointer, Code: v.Code, Detail: v.Detail, Given: v.Given, Allowed: v.Allowed,
		})
	}
	for _, r := range p.Referrers {
		m.Referrers = append(m.Referrers, &adminv1.Referrer{Collection: collectionOf(r.Type), Id: r.ID, Name: r.Name, Pointer: r.Pointer})
	}
	return m
}

// collectionOf returns the collection of objects that a domain calls by their singular ("route").
func collectionOf(singular string) string {
	for _, t := range resource.Types() {
		if t.Singular == singular {
			return t.Collection
		}
	}
	for _, t := range directory.Types() {
		if t.Singular == singular {
			return t.Collection
		}
	}
	return singular
}
