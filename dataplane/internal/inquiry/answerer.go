package inquiry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// atOnce bounds how many questions are being answered.
	atOnce = 4
	// maxReceive bounds one message of the control plane, in bytes.
	maxReceive = 64 << 10
	// retryLeast and retryMost bound the pause before a stream is opened again.
	retryLeast, retryMost = 100 * time.Millisecond, 15 * time.Second
	// unknownRetry is the pause before a control plane that is too old for questions is tried again: it may be updated.
	unknownRetry = time.Minute
)

// Config is what an Answerer needs.
type Config struct {
	// Connection to the control plane, shared with the lanes.
	Connection grpc.ClientConnInterface
	// Hello says who answers: boot, build, capability, start.
	Hello *edgev1.Hello
	// Health says how the node is. It is called by several goroutines, and doesn't wait.
	Health func() *edgev1.Health
	// Explain says what the node would do with a request. It is called by several goroutines; nil: this node explains nothing.
	Explain func(context.Context, *edgev1.ExplainQuestion) (*edgev1.Explanation, error)
	// TryExclusion says what exclusions of the WAF would open. It is called by several goroutines; nil: this node tries none.
	TryExclusion func(context.Context, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error)
	// Logger takes what an operator should know.
	Logger *slog.Logger
}

// Answerer answers questions. Make it with New, let it Run.
type Answerer struct {
	config Config
	open   atomic.Bool

	leaving chan struct{} // closed when the node has something to say: goodbye
	leave   func()
	parted  chan struct{} // closed when the control plane has heard it
}

// New returns an answerer.
func New(config Config) *Answerer {
	a := &Answerer{config: config, leaving: make(chan struct{}), parted: make(chan struct{})}
	a.leave = sync.OnceFunc(func() { close(a.leaving) })
	return a
}

// Run answers until ctx ends, or the control plane has heard the goodbye, and returns nil then.
func (a *Answerer) Run(ctx context.Context) error {
	pause := retryLeast
	for ctx.Err() == nil {
		begun := time.Now()
		err := a.stream(ctx)
		a.open.Store(false)
		switch {
		case errors.Is(err, errParted):
			close(a.parted)
			return nil
		case status.Code(err) == codes.Unimplemented:
			pause = unknownRetry
		case time.Since(begun) > retryMost:
			pause = retryLeast
		}
		a.config.Logger.Debug("no inquiry stream to the control plane", "error", err)
		// Between half and all of the pause, so that a fleet doesn't return in step.
		wait(ctx, pause/2+rand.N(pause/2+1)) // #nosec G404 -- no secret
		pause = min(2*pause, retryMost)
	}
	return nil
}

// Goodbye says that the node has served its last request, and returns once the control plane has heard it. Without a stream
// it returns at once: the node then stays one that may come back.
func (a *Answerer) Goodbye(ctx context.Context) error {
	if !a.open.Load() {
		return errors.New("no stream to the control plane to say goodbye on")
	}
	a.leave()
	select {
	case <-a.parted:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("say goodbye: %w", context.Cause(ctx))
	}
}

// errParted ends a stream on which goodbye was said and heard.
var errParted = errors.New("goodbye was heard")

// stream is one stream from its opening to its end.
func (a *Answerer) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var busy sync.WaitGroup
	defer busy.Wait()
	defer cancel()
	raw, err := edgev1.NewEdgeServiceClient(a.config.Connection).Inquire(ctx, grpc.MaxCallRecvMsgSize(maxReceive))
	if err != nil {
		return fmt.Errorf("open the stream: %w", err)
	}
	s := &session{answerer: a, stream: raw, slots: make(chan struct{}, atOnce)}
	if err := s.say(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Hello{Hello: a.config.Hello}}); err != nil {
		return err
	}
	a.open.Store(true)
	busy.Go(func() { s.part(ctx) })
	for {
		m, err := raw.Recv()
		switch {
		case errors.Is(err, io.EOF) && s.said.Load():
			return errParted
		case err != nil:
			return fmt.Errorf("wait for a question: %w", err)
		}
		s.take(ctx, &busy, m.GetQuestion())
	}
}

// session is one open stream.
type session struct {
	answerer *Answerer
	stream   edgev1.EdgeService_InquireClient
	sending  sync.Mutex
	slots    chan struct{}
	said     atomic.Bool // goodbye
}

func (s *session) say(m *edgev1.InquireRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.stream.Send(m); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// part says goodbye when the node leaves, and nothing after it.
func (s *session) part(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-s.answerer.leaving:
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	s.said.Store(true)
	// What fails here ends the stream, which is then noticed by who receives.
	_ = s.stream.Send(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Goodbye{Goodbye: &edgev1.Goodbye{}}})
	_ = s.stream.CloseSend()
}

// take answers a question aside, or refuses it when enough are being answered.
func (s *session) take(ctx context.Context, busy *sync.WaitGroup, q *edgev1.Question) {
	select {
	case s.slots <- struct{}{}:
	default:
		s.answer(refusal(q.GetId(), "busy", "the node is answering as many questions as it can at once"))
		return
	}
	arrived := time.Now()
	busy.Go(func() {
		defer func() { <-s.slots }()
		answer := s.answerer.answer(ctx, q)
		if within := q.GetWithin(); within != nil && time.Since(arrived) > within.AsDuration() {
			answer = refusal(q.GetId(), "too_late", "the answer wasn't ready in the time that was given")
		}
		if ctx.Err() == nil {
			s.answer(answer)
		}
	})
}

// answer sends an answer. A stream that can't is noticed by who receives.
func (s *session) answer(m *edgev1.Answer) {
	if s.said.Load() {
		return
	}
	_ = s.say(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Answer{Answer: m}})
}

func (a *Answerer) answer(ctx context.Context, q *edgev1.Question) *edgev1.Answer {
	switch question := q.GetQuestion().(type) {
	case *edgev1.Question_Health:
		return &edgev1.Answer{Id: q.GetId(), Answer: &edgev1.Answer_Health{Health: a.config.Health()}}
	case *edgev1.Question_Explain:
		if a.config.Explain != nil {
			return a.explain(ctx, q.GetId(), question.Explain)
		}
	case *edgev1.Question_TryExclusion:
		if a.config.TryExclusion != nil {
			return a.tryExclusion(ctx, q.GetId(), question.TryExclusion)
		}
	}
	return refusal(q.GetId(), "unknown_question", "this build doesn't know the question; update the node")
}

// explain explains a request. A panic on the way is a fault of ours, which costs the answer and not the node.
func (a *Answerer) explain(ctx context.Context, id uint64, q *edgev1.ExplainQuestion) (answer *edgev1.Answer) {
	defer func() {
		if v := recover(); v != nil {
			// The value's text might hold something of the request.
			a.config.Logger.Error("an explanation failed by a panic", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			answer = refusal(id, "not_explained", "the node failed to explain it; its log says where")
		}
	}()
	explanation, err := a.config.Explain(ctx, q)
	if err != nil {
		return refusal(id, "not_explained", err.Error())
	}
	return &edgev1.Answer{Id: id, Answer: &edgev1.Answer_Explanation{Explanation: explanation}}
}

func refusal(id uint64, code, message string) *edgev1.Answer {
	return &edgev1.Answer{Id: id, Answer: &edgev1.Answer_Refusal{Refusal: &edgev1.Refusal{Code: code, Message: message}}}
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
