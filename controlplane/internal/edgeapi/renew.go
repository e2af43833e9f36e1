package edgeapi

import (
	"context"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Challenge hands out a nonce. It costs two hashes and keeps nothing, so that nobody counts.
func (s *Server) Challenge(_ context.Context, request *edgev1.ChallengeRequest) (*edgev1.ChallengeResponse, error) {
	return &edgev1.ChallengeResponse{Nonce: s.cfg.Renewer.Challenge(request.GetCertificate())}, nil
}

// Renew gives a node a new certificate: for the connection's certificate, or else for a proof.
func (s *Server) Renew(ctx context.Context, request *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	identity, certified := identityOf(ctx)
	switch {
	case certified && request.GetProof() != nil:
		return nil, errTwoProofs
	case !certified && request.GetProof() == nil:
		return nil, errNoIdentity
	case certified && !s.renew.Allow(), !certified && !s.prove.Allow():
		return nil, errBusy
	}
	var response *edgev1.RenewResponse
	var err error
	if certified {
		response, err = s.cfg.Renewer.Renew(ctx, identity, request)
	} else {
		response, err = s.cfg.Renewer.RenewByProof(ctx, request)
	}
	if err != nil {
		return nil, s.failed(ctx, "renew", err)
	}
	return response, nil
}
