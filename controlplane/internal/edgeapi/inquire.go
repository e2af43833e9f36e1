package edgeapi

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Inquire is the life of one inquiry stream: questions go out, answers come in, and a goodbye ends it.
func (s *Server) Inquire(stream edgev1.EdgeService_InquireServer) error {
	ctx := stream.Context()
	identity, ok := identityOf(ctx)
	if !ok {
		return errNoIdentity
	}
	// Before it is admitted: a node that is disabled from then on is heard of here, or not let in.
	ended, release := s.cfg.Roster.Watch(identity)
	defer release()
	if err := s.cfg.Nodes.Admit(ctx, identity); err != nil {
		return s.failed(ctx, "admit", err)
	}
	// Ends the stream's goroutines; what they block in ends when the handler has returned.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := listen(ctx, stream)
	hello, err := s.inquireHello(ctx, said)
	if err != nil {
		return err
	}
	if _, err := s.cfg.Nodes.Arrive(ctx, identity, hello); err != nil {
		return s.failed(ctx, "arrive", err)
	}
	desk := s.cfg.Inquiries.Sit(identity, hello)
	defer desk.Leave()
	i := &inquiry{server: s, stream: stream, identity: identity, boot: hello.GetBoot(), desk: desk, said: said, ended: ended, sent: make(chan error, 1)}
	if err := i.run(ctx); err != nil {
		return s.failed(ctx, "inquire", err)
	}
	return nil
}

// saying is one message of a node on its inquiry stream, or why there are no more.
type saying struct {
	request *edgev1.InquireRequest
	err     error
}

// listen reads a stream until it ends or ctx does. Nothing is queued here.
func listen(ctx context.Context, stream edgev1.EdgeService_InquireServer) <-chan saying {
	said := make(chan saying)
	go func() {
		for {
			request, err := stream.Recv()
			select {
			case said <- saying{request, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return said
}

func (s *Server) inquireHello(ctx context.Context, said <-chan saying) (*edgev1.Hello, error) {
	timer := time.NewTimer(s.times.Hello)
	defer timer.Stop()
	select {
	case m := <-said:
		switch {
		case m.err != nil:
			return nil, statusOf(m.err)
		case m.request.GetHello() == nil:
			return nil, errNoHello
		}
		return m.request.GetHello(), nil
	case <-timer.C:
		return nil, errNoHello
	case <-s.stopping:
		return nil, errStopping
	case <-ctx.Done():
		return nil, statusOf(ctx.Err())
	}
}

// inquiry is the loop of one inquiry stream.
type inquiry struct {
	server   *Server
	stream   edgev1.EdgeService_InquireServer
	identity fleet.Identity
	boot     string
	desk     *fleet.Desk
	said     <-chan saying
	ended    <-chan struct{}
	sent     chan error // capacity 1: the outcome of the send that is going on
}

// run returns nil when the node has ended the stream, or has said goodbye.
func (i *inquiry) run(ctx context.Context) error {
	late := newStoppedTimer()
	defer late.Stop()
	questions := i.desk.Questions()
	for {
		select {
		case q := <-questions:
			questions = nil // one at a time is being sent
			late.Reset(i.server.times.Send)
			go func() {
				i.sent <- i.stream.Send(&edgev1.InquireResponse{Message: &edgev1.InquireResponse_Question{Question: q}})
			}()
		case err := <-i.sent:
			late.Stop()
			if err != nil {
				return err
			}
			questions = i.desk.Questions()
		case m := <-i.said:
			if gone, err := i.heard(ctx, m); gone || err != nil {
				return err
			}
		case <-late.C:
			return errSlowNode
		case <-i.ended:
			return errEnded
		case <-i.server.stopping:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heard takes what a node said, and tells whether it is gone.
func (i *inquiry) heard(ctx context.Context, m saying) (gone bool, err error) {
	switch {
	case errors.Is(m.err, io.EOF):
		return true, nil
	case m.err != nil:
		return false, m.err
	case m.request.GetAnswer() != nil:
		i.desk.Answered(m.request.GetAnswer())
		return false, nil
	case m.request.GetGoodbye() != nil:
		return true, i.server.cfg.Nodes.Leave(ctx, i.identity, i.boot)
	default:
		return false, fleet.ErrProtocol
	}
}
