package api

import (
	"context"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Epochs tells when the database went back.
type Epochs interface {
	List(ctx context.Context, environment string, q listing.Query) (listing.Page[*adminv1.Epoch], error)
}

func (s *Server) listEpochs(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := x.listQuery()
	if err != nil {
		return err
	}
	page, err := s.Epochs.List(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, page, itself)
}
