package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	soakClients = 8
	// soakSlack is what memory may move by in a third of the soak, beside a fifth of it.
	soakSlack = 32 << 20

	connectionsMetric, descriptorsMetric, timeoutsMetric = "sallyport_edge_client_connections", "process_open_fds", "sallyport_edge_client_timeouts_total"
)

// soak is an edge under all sorts of traffic.
type soak struct {
	story *harness.Story
	edge  *harness.Edge
	key   string

	done map[string]*atomic.Int64 // by sort

	mu     sync.Mutex
	failed []string
}

// A sort of client, over and over again. An error is a failure of the edge.
type soaking struct {
	name string
	once func(*soak, context.Context) error
}

func sorts() []soaking {
	return []soaking{
		{"asks", func(s *soak, ctx context.Context) error {
			return s.do(ctx, harness.Request{Path: "/plain"}, http.StatusOK)
		}},
		{"uploads", func(s *soak, ctx context.Context) error {
			return s.do(ctx, harness.Request{Method: http.MethodPost, Path: "/upload", Body: strings.Repeat("body ", 4000)}, http.StatusOK)
		}},
		{"downloads", func(s *soak, ctx context.Context) error {
			return s.do(ctx, harness.Request{Path: "/large"}, http.StatusOK)
		}},
		{"has no key", func(s *soak, ctx context.Context) error {
			answer, err := s.edge.Do(ctx, harness.Request{Path: "/plain", Host: s.story.Host})
			return want(answer, err, http.StatusUnauthorized)
		}},
		{"writes odd paths", func(s *soak, ctx context.Context) error {
			answer, err := s.edge.DoRaw(ctx, "GET /a/../b HTTP/1.1\r\n"+s.head()+"\r\n")
			return want(answer, err, http.StatusBadRequest)
		}},
		{"sends many at once", (*soak).pipeline},
		{"leaves in its upload", func(s *soak, ctx context.Context) error {
			return s.leave(ctx, "POST /upload HTTP/1.1\r\n"+s.head()+"Content-Length: 1000000\r\n\r\nbegins")
		}},
		{"leaves in its download", func(s *soak, ctx context.Context) error {
			return s.leave(ctx, "GET /large HTTP/1.1\r\n"+s.head()+"\r\n")
		}},
		{"leaves a stream", (*soak).follow},
		{"chats", (*soak).chat},
	}
}

func (s *soak) head() string { return "Host: " + s.story.Host + "\r\nX-Api-Key: " + s.key + "\r\n" }

func (s *soak) do(ctx context.Context, r harness.Request, status int) error {
	r.Host, r.Header = s.story.Host, harness.WithKey(s.key)
	answer, err := s.edge.Do(ctx, r)
	return want(answer, err, status)
}

func want(answer harness.Response, err error, status int) error {
	if err == nil && answer.Status != status {
		err = fmt.Errorf("answered %s, want %d", answer, status) //nolint:err113 // for the test's log
	}
	return err
}

func (s *soak) pipeline(ctx context.Context) error {
	const requests = 5
	w, err := s.edge.Dial(ctx, 0)
	if err != nil {
		return err //nolint:wrapcheck // says where
	}
	defer w.Close()
	if err := w.Say(strings.Repeat("GET /plain HTTP/1.1\r\n"+s.head()+"\r\n", requests)); err != nil {
		return err //nolint:wrapcheck // says what
	}
	for range requests {
		answer, err := w.Answer(http.MethodGet)
		if err := want(answer, err, http.StatusOK); err != nil {
			return err
		}
	}
	return nil
}

// leave resets a connection once the edge may have begun to answer.
func (s *soak) leave(ctx context.Context, request string) error {
	w, err := s.edge.Dial(ctx, 0)
	if err != nil {
		return err //nolint:wrapcheck // says where
	}
	defer w.Reset()
	if err := w.Say(request); err != nil {
		return err //nolint:wrapcheck // says what
	}
	if strings.HasPrefix(request, "GET") {
		_, err = io.ReadFull(w.In, make([]byte, 1000))
	}
	return err //nolint:wrapcheck // says what
}

func (s *soak) follow(ctx context.Context) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	stream, err := s.edge.Stream(ctx, harness.Request{Path: "/events", Host: s.story.Host, Header: harness.WithKey(s.key)})
	if err != nil {
		return err //nolint:wrapcheck // says where
	}
	defer stream.Body.Close()
	_, err = io.ReadFull(stream.Body, make([]byte, 30))
	return err //nolint:wrapcheck // says what
}

func (s *soak) chat(ctx context.Context) error {
	w, err := s.edge.Dial(ctx, 0)
	if err != nil {
		return err //nolint:wrapcheck // says where
	}
	defer w.Close()
	if err := w.OpenWebSocket("chat."+s.story.Host, "/chat", "X-Api-Key: "+s.key); err != nil {
		return err //nolint:wrapcheck // says what
	}
	for n := range 4 {
		f := harness.Frame{Opcode: harness.Text, Final: true, Payload: []byte("message " + strconv.Itoa(n))}
		if n == 3 {
			f = harness.CloseFrame(1000, "bye")
		}
		if err := w.SendFrame(f); err != nil {
			return err //nolint:wrapcheck // says what
		}
		if got, err := w.ReadFrame(); err != nil || got.Opcode != f.Opcode || !bytes.Equal(got.Payload, f.Payload) {
			return fmt.Errorf("%v came back, %w", got, err)
		}
	}
	return nil
}

// keep goes on with one sort until ctx ends.
func (s *soak) keep(ctx context.Context, sort soaking) {
	tick := time.NewTicker(clientsPause) // one that leaves at once would else be most of the traffic
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := sort.once(s, context.WithoutCancel(ctx)); err != nil {
			s.mu.Lock()
			s.failed = append(s.failed, fmt.Sprintf("one that %s: %v", sort.name, err))
			s.mu.Unlock()
			return
		}
		s.done[sort.name].Add(1)
	}
}

// services are one for HTTP, and one for WebSockets.
func (s *soak) services(t *testing.T) {
	t.Helper()
	large := []byte(strings.Repeat("large ", 50_000))
	p := s.story.Protected(harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(large)
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, "data: tick\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
			}
		default:
			_, _ = fmt.Fprint(w, "ok")
		}
	})).Address)
	s.key = p.Key.Key
	chats := s.story.Service("chat", harness.NewWireUpstream(t, func(w *harness.Wire) {
		if _, err := w.TakeWebSocket(); err != nil {
			return
		}
		for {
			f, err := w.ReadFrame()
			if err != nil || w.ReturnFrame(f) != nil {
				return
			}
		}
	}))
	s.story.Route(sallyport.Route{Name: s.story.Name("chat"), Service: chats.Name, Hosts: []string{"chat." + s.story.Host}, Paths: harness.Below("/"), Public: true})
}

// revise writes a revision again and again.
func (s *soak) revise(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		made, err := s.story.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(context.WithoutCancel(ctx), s.story.Environment.Name, nil,
			map[string]any{"description": strconv.Itoa(n)})
		if err := sallyport.Check(made, err); err != nil {
			return fmt.Errorf("write a revision: %w", err)
		}
	}
}

// Under all sorts of traffic and a revision every 100 ms, for a quarter of a minute (ten minutes in a long run), no request fails, memory and goroutines
// stay as they are, and afterwards nothing is left of it all.
func TestAnEdgeStaysAsItIsHoweverLongItWorks(t *testing.T) {
	s := &soak{story: product.OwnStory(t, 1, harness.Loopback), done: map[string]*atomic.Int64{}}
	s.edge = s.story.Edges()[0]
	s.story.Settings(map[string]any{"connections": map[string]any{"head_timeout": "120s"}}) // a machine that is busy with the test itself is no slow client
	s.services(t)
	s.story.Expect(s.edge, "/", harness.WithKey(s.key), http.StatusOK, "")
	before := s.story.Metrics(s.edge)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var all sync.WaitGroup
	for _, sort := range sorts() {
		s.done[sort.name] = new(atomic.Int64)
		for range soakClients / 2 {
			all.Go(func() { s.keep(ctx, sort) })
		}
	}
	written := make(chan error, 1)
	go func() { written <- s.revise(ctx) }()

	var thirds [3]peaks
	for i := range thirds {
		thirds[i] = s.watch(t, longer(5*time.Second, 200*time.Second))
	}
	end()
	all.Wait()
	if err := <-written; err != nil {
		t.Error(err)
	}
	for _, sort := range sorts() {
		n := s.done[sort.name].Load()
		t.Logf("%d times one that %s", n, sort.name)
		if n < 10 {
			t.Errorf("only %d times one that %s", n, sort.name)
		}
	}
	if len(s.failed) > 0 {
		t.Logf("%v connections were given up", s.story.Metrics(s.edge).Sum(timeoutsMetric))
		t.Errorf("failed: %s", strings.Join(s.failed[:min(len(s.failed), 10)], "\n"))
	}
	t.Logf("in each third at the most: %v", thirds)
	if first, last := thirds[0], thirds[len(thirds)-1]; last.memory > first.memory+first.memory/5+soakSlack || last.goroutines > 2*first.goroutines+50 {
		t.Errorf("from %v it has grown to %v", first, last)
	}
	leavesNothing(t, s.edge, before)
	s.closesAll(t, before)
}

// peaks are the most that an edge had in a time.
type peaks struct{ memory, goroutines int64 }

func (p peaks) String() string {
	return fmt.Sprintf("%d KB, %d goroutines", p.memory>>10, p.goroutines)
}

func (s *soak) watch(t *testing.T, lasts time.Duration) (most peaks) {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for over := time.After(lasts); ; {
		now := s.story.Metrics(s.edge)
		most.memory = max(most.memory, int64(now.Sum(residentMetric)))
		most.goroutines = max(most.goroutines, int64(now.Sum(goroutinesMetric)))
		select {
		case <-over:
			return most
		case <-tick.C:
		}
	}
}

var errOpen = errors.New("connections are open still")

// closesAll returns once hardly more connections are open than before: what clients have left, and all but what is kept for services.
func (s *soak) closesAll(t *testing.T, before harness.Metrics) {
	t.Helper()
	const slack = 100 // kept for services, and the test's own client
	harness.Eventually(t, slowBound, func() error {
		now := s.story.Metrics(s.edge)
		for _, metric := range []string{connectionsMetric, descriptorsMetric} {
			if is, was := now.Sum(metric), before.Sum(metric); is > was+slack {
				return fmt.Errorf("%w: %s is %v, it was %v", errOpen, metric, is, was)
			}
		}
		return nil
	})
}
