package api

import (
	"net/http"

	"github.com/sallyport/sallyport/proto/problem"
)

func (s *Server) getOpenAPI(x *exchange) error {
	return x.echo.Blob(http.StatusOK, mediaJSON, document)
}

func (s *Server) getHealth(x *exchange) error { return x.echo.NoContent(http.StatusNoContent) }

func (s *Server) getReadiness(x *exchange) error {
	if err := s.Ready(x.context()); err != nil {
		return problem.Wrap(err, problem.Unavailable, "the control plane isn't ready")
	}
	return x.echo.NoContent(http.StatusNoContent)
}
