package api

import (
	"context"
	"net/http"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Issuers tells what keys token issuers have, and asks them.
type Issuers interface {
	Keys(ctx context.Context, environment, key string) (*adminv1.IssuerKeys, error)
	RefreshKeys(ctx context.Context, environment, key string) (*adminv1.IssuerKeys, error)
}

// addIssuers adds what is asked about the keys of issuers.
func (s *Server) addIssuers(handlers map[string]handler) {
	handlers["getIssuerKeys"] = func(x *exchange) error { return s.sendIssuerKeys(x, s.Issuers.Keys) }
	handlers["refreshIssuerKeys"] = func(x *exchange) error { return s.sendIssuerKeys(x, s.Issuers.RefreshKeys) }
}

func (s *Server) sendIssuerKeys(x *exchange, find func(ctx context.Context, environment, key string) (*adminv1.IssuerKeys, error)) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	keys, err := find(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, keys)
}
