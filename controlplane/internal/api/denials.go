package api

import (
	"net/http"
	"strconv"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/problem"
)

// addDenials gives the operations that show who is let in no more their handlers.
func (s *Server) addDenials(handlers map[string]handler) {
	handlers["getSequenceStatus"] = s.getSequenceStatus
	for id, collection := range map[string]string{
		"getApiKeyRevocation":   directory.APIKeys,
		"getConsumerRevocation": directory.Consumers,
		"getPasswordRevocation": directory.Passwords,
		"getBlockRevocation":    directory.Blocks,
	} {
		handlers[id] = func(x *exchange) error { return s.getRevocation(x, collection) }
	}
}

func (s *Server) getSequenceStatus(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	text := x.echo.Param("sequence")
	sequence, err := strconv.ParseUint(text, 10, 63) // as Postgres counts
	if err != nil || strconv.FormatUint(sequence, 10) != text {
		return problem.Errorf(problem.NotFound, "there is no sequence %q: sequences are numbered from 1", shorten(text))
	}
	status, err := s.Denials.Status(x.context(), environment, sequence)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, status)
}

func (s *Server) getRevocation(x *exchange, collection string) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	revocation, err := s.Denials.Revocation(x.context(), environment, collection, key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, revocation)
}
