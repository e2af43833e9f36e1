package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/id"
)

// requestIDPrefix is that of request ids, "req_…". They are always ours: a caller's would let it write
// into our logs.
const requestIDPrefix = id.Request

// actorKey is where echo's context has who was let in, for the access log.
const actorKey = "actor"

// frame is around every request, those that meet no operation included.
func (s *Server) frame(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		begin := time.Now()
		setHeaders(c, id.Text(requestIDPrefix, id.New(begin)))
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
					panic(cause)
				}
				err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
			}
			if err != nil {
				c.Error(err)
			}
			s.log(c, time.Since(begin))
			err = nil
		}()
		return next(c)
	}
}

// setHeaders sets what every answer carries.
func setHeaders(c echo.Context, requestID string) {
	h := c.Response().Header()
	h.Set(echo.HeaderXRequestID, requestID)
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	h.Set(echo.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if c.Request().TLS != nil {
		h.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// log writes the access log: the path as the document has it, so that neither a query nor what
// somebody took for a path gets into it.
func (s *Server) log(c echo.Context, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", requestID(c)),
		slog.String("method", c.Request().Method),
		slog.String("route", c.Path()),
		slog.Int("status", c.Response().Status),
		slog.Int64("duration_us", took.Microseconds()),
		slog.String("address", peer(c.Request().RemoteAddr).String()),
	}
	if actor, ok := c.Get(actorKey).(access.Actor); ok {
		attrs = append(attrs, slog.String("actor", actor.ID))
	}
	s.Logger.LogAttrs(c.Request().Context(), slog.LevelInfo, "admin request", attrs...)
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }
