package edgeapi

import (
	"context"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Issuers asks token issuers for their keys. It is issuers.Keeper.
type Issuers interface {
	Refresh(ctx context.Context, environment, issuer, keyID string) (sequence uint64, fetched bool, err error)
}

// RefreshKeys asks an issuer of the node's own environment for its keys, since a token names one that the node doesn't know.
func (s *Server) RefreshKeys(ctx context.Context, request *edgev1.RefreshKeysRequest) (*edgev1.RefreshKeysResponse, error) {
	identity, ok := identityOf(ctx)
	if !ok {
		return nil, errNoIdentity
	}
	if !s.refresh.Allow() {
		return nil, errBusy
	}
	if err := s.cfg.Nodes.Admit(ctx, identity); err != nil {
		return nil, s.failed(ctx, "admit", err)
	}
	if len(request.GetIssuer()) != len(id.ID{}) {
		return nil, errIssuerID
	}
	sequence, fetched, err := s.cfg.Issuers.Refresh(ctx, identity.Environment, id.Text(id.Issuer, id.ID(request.GetIssuer())), request.GetKeyId())
	if err != nil {
		return nil, s.failed(ctx, "refresh keys", err)
	}
	return &edgev1.RefreshKeysResponse{Sequence: sequence, Fetched: fetched}, nil
}
