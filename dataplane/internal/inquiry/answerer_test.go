package inquiry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// patience is how long a test waits for what must come before it fails.
const patience = 20 * time.Second

// plane plays the control plane: each stream is handed to the test.
type plane struct {
	edgev1.UnimplementedEdgeServiceServer
	streams chan *conversation
}

type conversation struct {
	t      *testing.T
	stream edgev1.EdgeService_InquireServer
	hello  *edgev1.Hello
	end    chan error
}

func (p *plane) Inquire(stream edgev1.EdgeService_InquireServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	c := &conversation{stream: stream, hello: first.GetHello(), end: make(chan error, 1)}
	select {
	case p.streams <- c:
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
	select {
	case err := <-c.end:
		return err
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// start runs an answerer against a control plane that the test plays.
func start(t *testing.T, health func() *edgev1.Health) (*plane, *Answerer) {
	t.Helper()
	p := &plane{streams: make(chan *conversation)}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	edgev1.RegisterEdgeServiceServer(server, p)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	connection, err := grpc.NewClient("passthrough:///control", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	a := New(Config{
		Connection: connection, Hello: &edgev1.Hello{Boot: "b1", Capability: 2}, Health: health, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		_ = connection.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return p, a
}

func (p *plane) next(t *testing.T) *conversation {
	t.Helper()
	select {
	case c := <-p.streams:
		c.t = t
		return c
	case <-time.After(patience):
		t.Fatal("the node opens no stream")
		return nil
	}
}

func (c *conversation) ask(q *edgev1.Question) {
	c.t.Helper()
	if err := c.stream.Send(&edgev1.InquireResponse{Message: &edgev1.InquireResponse_Question{Question: q}}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *conversation) hear() *edgev1.InquireRequest {
	c.t.Helper()
	m, err := c.stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func healthQuestion(id uint64) *edgev1.Question {
	return &edgev1.Question{Id: id, Within: durationpb.New(patience), Question: &edgev1.Question_Health{Health: &edgev1.HealthQuestion{}}}
}

func TestANodeAnswersAndRefusesWhatItDoesNotKnowOnTheSameStream(t *testing.T) {
	p, _ := start(t, func() *edgev1.Health { return &edgev1.Health{Boot: "b1"} })
	c := p.next(t)
	if c.hello.GetBoot() != "b1" || c.hello.GetCapability() != 2 {
		t.Errorf("the hello reads %v", c.hello)
	}
	c.ask(&edgev1.Question{Id: 1})
	if m := c.hear().GetAnswer(); m.GetId() != 1 || m.GetRefusal().GetCode() != "unknown_question" {
		t.Errorf("an unknown question is answered with %v", m)
	}
	c.ask(healthQuestion(2))
	if m := c.hear().GetAnswer(); m.GetId() != 2 || m.GetHealth().GetBoot() != "b1" {
		t.Errorf("the answer reads %v", m)
	}
	late := healthQuestion(3)
	late.Within = durationpb.New(-time.Second)
	c.ask(late)
	if m := c.hear().GetAnswer(); m.GetId() != 3 || m.GetRefusal().GetCode() != "too_late" {
		t.Errorf("a question that is over is answered with %v", m)
	}
}

func TestOnlyAFewQuestionsAreAnsweredAtOnce(t *testing.T) {
	release := make(chan struct{})
	p, _ := start(t, func() *edgev1.Health {
		<-release
		return &edgev1.Health{}
	})
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	c := p.next(t)
	for i := range atOnce + 1 {
		c.ask(healthQuestion(uint64(i + 1)))
	}
	if m := c.hear().GetAnswer(); m.GetId() != atOnce+1 || m.GetRefusal().GetCode() != "busy" {
		t.Errorf("one question too many is answered with %v", m)
	}
	let()
	for range atOnce {
		if m := c.hear().GetAnswer(); m.GetHealth() == nil {
			t.Errorf("a question is answered with %v", m)
		}
	}
}

func TestAStreamThatEndsIsOpenedAgain(t *testing.T) {
	p, _ := start(t, func() *edgev1.Health { return &edgev1.Health{} })
	p.next(t).end <- errors.New("the replica goes")
	c := p.next(t)
	c.ask(healthQuestion(1))
	if c.hear().GetAnswer().GetHealth() == nil {
		t.Error("no answer on the second stream")
	}
}

func TestAGoodbyeIsOverOnceItWasHeard(t *testing.T) {
	p, a := start(t, func() *edgev1.Health { return &edgev1.Health{} })
	if err := a.Goodbye(t.Context()); err == nil {
		t.Error("a goodbye without a stream was heard")
	}
	c := p.next(t)
	said := make(chan error, 1)
	// The node knows its stream to be open once it has been asked.
	c.ask(healthQuestion(1))
	c.hear()
	go func() { said <- a.Goodbye(t.Context()) }()
	if c.hear().GetGoodbye() == nil {
		t.Fatal("it says something else")
	}
	if _, err := c.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after its goodbye the node says more: %v", err)
	}
	select {
	case err := <-said:
		t.Fatalf("it is over before it was heard: %v", err)
	default:
	}
	c.end <- nil
	if err := <-said; err != nil {
		t.Error(err)
	}
}

func TestAGoodbyeThatNobodyHearsEndsInTime(t *testing.T) {
	p, a := start(t, func() *edgev1.Health { return &edgev1.Health{} })
	c := p.next(t)
	c.ask(healthQuestion(1))
	c.hear()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.Goodbye(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
}

func TestTheLatestErrorsAreRememberedNewestFirstAndBounded(t *testing.T) {
	var troubles Troubles
	log := troubles.Logger(slog.New(slog.DiscardHandler)).With("part", "test", "lane", "directory")
	log.Warn("no error")
	for range maxTroubles {
		log.Error("an old one")
	}
	log.Error("the disk is full", "error", errors.New("no space"), "number", 7)
	log.Error("much", "error", strings.Repeat("long ", 1000))
	latest := troubles.Latest()
	if len(latest) != maxTroubles || len(latest[0].GetMessage()) > maxTrouble || latest[1].GetMessage() != "the disk is full lane=directory error=no space" {
		t.Errorf("%d are remembered: %v", len(latest), latest[:2])
	}
	if latest[len(latest)-1].GetMessage() != "an old one lane=directory" {
		t.Errorf("the oldest is %v", latest[len(latest)-1])
	}
}

func TestAnExplanationThatPanicsCostsItsAnswerAndNotTheNode(t *testing.T) {
	var logged bytes.Buffer
	a := New(Config{
		Logger:  slog.New(slog.NewTextHandler(&logged, nil)),
		Explain: func(context.Context, *edgev1.ExplainQuestion) (*edgev1.Explanation, error) { panic("sp_secret") },
	})
	m := a.answer(t.Context(), &edgev1.Question{Id: 7, Question: &edgev1.Question_Explain{Explain: &edgev1.ExplainQuestion{}}})
	if m.GetId() != 7 || m.GetRefusal().GetCode() != "not_explained" {
		t.Errorf("answered with %v", m)
	}
	if text := logged.String() + m.String(); !strings.Contains(text, "panic") || strings.Contains(text, "sp_secret") {
		t.Errorf("logged is %s", text)
	}
}
