package edgeapi

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

type identityKey struct{}

// identityOf returns the node that calls. It is there in every call that needs a certificate.
func identityOf(ctx context.Context) (fleet.Identity, bool) {
	identity, ok := ctx.Value(identityKey{}).(fleet.Identity)
	return identity, ok
}

// open tells whether a method is for nodes without a certificate, or without a valid one.
func open(method string) bool {
	switch method {
	case edgev1.EdgeService_Enroll_FullMethodName, edgev1.EdgeService_Challenge_FullMethodName, edgev1.EdgeService_Renew_FullMethodName:
		return true
	}
	return false
}

// identify returns a context that names the node whose verified certificate the connection has. The
// handshake has checked the chain; a call without one goes no further, unless its method is open.
func identify(ctx context.Context, method string) (context.Context, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return nil, errNoIdentity
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
		if open(method) {
			return ctx, nil
		}
		return nil, errNoIdentity
	}
	identity, err := fleet.IdentityOf(info.State.VerifiedChains[0][0])
	if err != nil {
		return nil, errNoIdentity
	}
	return context.WithValue(ctx, identityKey{}, identity), nil
}

func identifyUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := identify(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func identifyStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := identify(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handler(server, identifiedStream{stream, ctx})
}

type identifiedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s identifiedStream) Context() context.Context { return s.ctx }
