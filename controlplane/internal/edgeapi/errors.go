package edgeapi

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/problem"
)

// errorDomain is the domain of the ErrorInfo in every status; its reason is a problem's code.
const errorDomain = "sallyport"

// statusOf turns an error into what the node is told: the problem's code and public text, never its
// cause.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the call was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the call took too long")
	case errors.Is(err, fleet.ErrStopped):
		return errStopping
	case errors.Is(err, fleet.ErrProtocol), errors.Is(err, epochs.ErrUntrue):
		return status.Error(codes.InvalidArgument, err.Error())
	}
	shown := problem.From(err)
	code, ok := grpcCodes[shown.Code]
	if !ok {
		code = codes.Internal
	}
	text := shown.Detail
	if text == "" {
		text = shown.Title
	}
	st := status.New(code, text)
	if with, err := st.WithDetails(&errdetails.ErrorInfo{Reason: string(shown.Code), Domain: errorDomain}); err == nil {
		st = with
	}
	return st.Err()
}

var grpcCodes = map[problem.Code]codes.Code{
	problem.InvalidRequest:   codes.InvalidArgument,
	problem.JoinTokenInvalid: codes.Unauthenticated,
	problem.Unauthenticated:  codes.Unauthenticated,
	problem.NodeDisabled:     codes.PermissionDenied,
	problem.PositionAhead:    codes.FailedPrecondition,
	problem.NotFound:         codes.NotFound,
	problem.Conflict:         codes.Aborted,
	problem.RateLimited:      codes.ResourceExhausted,
	problem.Unavailable:      codes.Unavailable,
}

var (
	errStopping   = status.Error(codes.Unavailable, "the control plane is stopping; connect to another replica")
	errNoIdentity = status.Error(codes.Unauthenticated, "this call needs a node's certificate: enrol first")
	errTwoProofs  = status.Error(codes.InvalidArgument, "proof is for connections without a client certificate; leave it out")
	errBusy       = status.Error(codes.ResourceExhausted, "too many nodes ask for this at once; try again in a moment")
	errIssuerID   = status.Error(codes.InvalidArgument, "an issuer's identifier has 16 bytes")
	errNoHello    = status.Error(codes.InvalidArgument, "a stream must begin with a hello")
	errSlowNode   = status.Error(codes.DeadlineExceeded, "the node doesn't take what it is sent")
	errNoAnswer   = status.Error(codes.DeadlineExceeded, "the node doesn't answer what it was sent")
	errEnded      = status.Error(codes.PermissionDenied, "an operator has disabled or removed this node")
)
