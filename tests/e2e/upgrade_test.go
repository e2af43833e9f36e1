package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// upgrades are spread over the requests.
	upgrades = 5
	// keeping clients keep their connection, fresh ones open one per request.
	keeping = 8
	fresh   = 2
	// endBound is how long a process may take to end that was taken over from.
	endBound = 2 * time.Minute
)

// upgradeRequests is how many requests none of which may fail.
func upgradeRequests() int64 {
	if os.Getenv("SALLYPORT_LONG") != "" {
		return 1_000_000
	}
	return 100_000
}

// gate is a service whose /slow answers once it is opened. Nothing of what it is asked is kept: there is too much of it.
type gate struct {
	address string
	slow    chan struct{} // a slow request has arrived
	open    chan struct{}
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{slow: make(chan struct{}, 16), open: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			g.slow <- struct{}{}
			select {
			case <-g.open:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "ok") // a client that died is no fault
	}))
	t.Cleanup(server.Close)
	g.address = strings.TrimPrefix(server.URL, "http://")
	return g
}

// load is clients that ask an edge one request after the other, all of which must be answered with 200.
type load struct {
	url, host, key string

	answered atomic.Int64
	stop     context.CancelFunc
	clients  sync.WaitGroup

	mu     sync.Mutex
	failed []string
}

func startLoad(t *testing.T, edge *harness.Edge, host, key string) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{url: edge.URL + "/orders/7", host: host, key: key, stop: stop}
	for n := range keeping + fresh {
		l.clients.Go(func() { l.ask(ctx, n >= keeping) })
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) ask(ctx context.Context, fresh bool) {
	transport := &http.Transport{DisableKeepAlives: fresh, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for ctx.Err() == nil {
		if err := l.one(client); err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err.Error())
			l.mu.Unlock()
			continue
		}
		l.answered.Add(1)
	}
}

func (l *load) one(client *http.Client) error {
	request, err := http.NewRequest(http.MethodGet, l.url, nil)
	if err != nil {
		return err
	}
	request.Host, request.Header = l.host, harness.WithKey(l.key)
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || string(body) != "ok") {
		err = fmt.Errorf("%s %q", answer.Status, body)
	}
	return err
}

// progress returns once this many were answered in all.
func (l *load) progress(t *testing.T, want int64) {
	t.Helper()
	harness.Eventually(t, 10*time.Minute, func() error {
		if got := l.answered.Load(); got < want {
			return fmt.Errorf("%d requests were answered, %d are waited for", got, want)
		}
		return nil
	})
}

// failures returns what failed so far.
func (l *load) failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

func (l *load) end() {
	l.stop()
	l.clients.Wait()
}

// check ends the load and fails the test when any request failed.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.end()
	if len(l.failed) > 0 {
		t.Errorf("%d of %d requests failed, first: %s", len(l.failed), l.answered.Load(), l.failed[0])
	}
}

// billedOnce fails the test unless exactly so many requests are counted, also once what comes after them is.
func billedOnce(t *testing.T, s *harness.Story, p harness.Protected, answered int64) {
	t.Helper()
	allowed := harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}
	late := harness.UsageKey{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_missing"}
	want := harness.Usage{allowed: int(answered)}
	for range 2 {
		s.ExpectAll("/", nil, http.StatusUnauthorized, late.Verdict)
		want[late]++
		harness.Eventually(t, 2*time.Minute, func() error {
			usage, err := s.Environment.Usage(t.Context())
			if err != nil {
				return err
			}
			return usage.Check(want)
		})
	}
}

func upgrade(t *testing.T, edge *harness.Edge) *harness.Process {
	t.Helper()
	before, err := edge.Upgrade(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return before
}

func ended(t *testing.T, p *harness.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), endBound)
	defer cancel()
	if err := p.Await(ctx); err != nil {
		t.Errorf("the process that was taken over from: %v", err)
	}
}

func TestUpgradesUnderLoadFailNoRequestAndBillEachOnce(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(newGate(t).address)
	edge := s.Edges()[0]
	all := upgradeRequests()
	asked := startLoad(t, edge, s.Host, p.Key.Key)
	for n := range int64(upgrades) {
		asked.progress(t, all*(n+1)/(upgrades+1))
		ended(t, upgrade(t, edge))
		if got := s.Metrics(edge).Sum(handovers); got != 1 {
			t.Errorf("the process that serves counts %v hand-overs, want the one in which it took over", got)
		}
	}
	asked.progress(t, all)
	asked.check(t)
	billedOnce(t, s, p, asked.answered.Load())
}

const handovers = "sallyport_edge_handovers_total"

// What the next process hears is in force on it and on the one that still answers: a stream that was opened there ends as well.
func TestARevocationDuringAHandOverHoldsOnBothProcesses(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	service := newGate(t)
	p := s.Protected(service.address)
	edge := s.Edges()[0]
	cut := make(chan int, 1)
	go func() {
		// A 403, or an end that is none.
		answer, err := edge.Do(t.Context(), harness.Request{Host: s.Host, Path: "/slow", Header: harness.WithKey(p.Key.Key)})
		if err != nil {
			answer.Status = 0
		}
		cut <- answer.Status
	}()
	<-service.slow
	before := upgrade(t, edge)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Revoke(p.Key) // returns once the node has it for good: the next process writes
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	select {
	case status := <-cut:
		if status == http.StatusOK {
			t.Error("a revoked key's request is answered")
		}
	case <-time.After(time.Minute):
		t.Error("a stream of a revoked key goes on on the process that was taken over from")
	}
	ended(t, before)
}

// The next process doesn't reach the control plane, so it is never let serve. It is killed in the middle of taking over.
func TestANextProcessThatDiesBeforeItIsReadyChangesNothing(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(newGate(t).address)
	spare := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	edge := s.Edges()[0]
	asked := startLoad(t, edge, s.Host, p.Key.Key)
	asked.progress(t, 500)
	before, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next, err := edge.StartNext("--control", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Kill)
	handing := func(want bool) func() error {
		return func() error {
			now, err := edge.Status(t.Context())
			if err == nil && (now.HandingOver != want || now.Boot != before.Boot) {
				err = fmt.Errorf("want handing over %t by boot %s: %+v", want, before.Boot, now)
			}
			return err
		}
	}
	harness.Eventually(t, time.Minute, handing(true))
	// Meanwhile the disk stands still, and a revocation holds all the same.
	gone, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, spare.ID, nil)
	s.Must(gone, err)
	harness.Eventually(t, time.Minute, func() error {
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(spare.Key)); answer.Status != http.StatusUnauthorized {
			return fmt.Errorf("a revoked key is answered %s", answer)
		}
		return nil
	})
	asked.progress(t, asked.answered.Load()+500)
	next.Kill()
	harness.Eventually(t, time.Minute, handing(false))
	if got := s.Metrics(edge).Sum(handovers); got != 1 {
		t.Errorf("%v hand-overs are counted, want the one that was given up", got)
	}
	// Its streams, which end while the disk stands still, are opened again, and what comes is on the disk. The control plane may take a node
	// for connected whose stream is just ending.
	after := 0
	harness.Eventually(t, time.Minute, func() error {
		after++
		made, err := s.API.CreateConsumerWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateConsumerParams{Wait: s.Wait()},
			sallyport.Consumer{Name: s.Name(fmt.Sprint("after-", after))})
		s.Must(made, err)
		if applied := made.HTTPResponse.Header.Get("Sallyport-Applied"); applied != "1/1" {
			return fmt.Errorf("it was applied on %q nodes", applied)
		}
		return nil
	})
	asked.progress(t, asked.answered.Load()+500)
	// And the next one that can takes over.
	ended(t, upgrade(t, edge))
	s.Expect(edge, "/", harness.WithKey(spare.Key), http.StatusUnauthorized, "credential_invalid")
	asked.check(t)
}

// The next process has the sockets and can't serve yet. When the one before ends it is all that is left of the node.
func TestANextProcessGoesOnAloneWhenTheOneBeforeEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		by   func(*harness.Edge) error
		lost int // requests that may be under way at the end: each may have been counted, and fail or be sent again by its client
	}{
		"asked to":  {func(edge *harness.Edge) error { return edge.Stop(t.Context()) }, 0},
		"by a kill": {(*harness.Edge).Kill, keeping + fresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := product.OwnStory(t, 1, harness.Loopback)
			p := s.Protected(newGate(t).address)
			edge := s.Edges()[0]
			asked := startLoad(t, edge, s.Host, p.Key.Key)
			asked.progress(t, 500)
			before, err := edge.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next, err := edge.StartNext("--control", "127.0.0.1:1") // it isn't let serve
			if err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, time.Minute, func() error {
				now, err := edge.Status(t.Context())
				if err == nil && !now.HandingOver {
					err = errors.New("nothing is handed over")
				}
				return err
			})
			if err := end.by(edge); err != nil {
				t.Fatal(err)
			}
			if _, err := edge.Became(t.Context(), next, before); err != nil {
				next.Kill()
				t.Fatal(err)
			}
			asked.progress(t, asked.answered.Load()+500)
			asked.end()
			if len(asked.failed) > end.lost {
				t.Errorf("%d requests failed, first: %s; at most %d were under way", len(asked.failed), asked.failed[0], end.lost)
			}
			allowed := harness.UsageKey{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}
			harness.Eventually(t, 2*time.Minute, func() error {
				usage, err := s.Environment.Usage(t.Context())
				if got, least := usage[allowed], int(asked.answered.Load()); err == nil && (got < least || got > least+end.lost) {
					err = fmt.Errorf("%d requests are billed, %d were answered and at most %d were under way at the end", got, least, end.lost)
				}
				return err
			})
		})
	}
}

func TestAProcessKilledWhileItAnswersItsLastRequestsCostsThoseAlone(t *testing.T) {
	t.Parallel()
	const slow = 3
	s := product.OwnStory(t, 1, harness.Loopback)
	service := newGate(t)
	p := s.Protected(service.address)
	edge := s.Edges()[0]
	asked := startLoad(t, edge, s.Host, p.Key.Key)
	lost := make(chan error, slow)
	for range slow {
		go func() {
			_, err := edge.Do(t.Context(), harness.Request{Host: s.Host, Path: "/slow", Header: harness.WithKey(p.Key.Key)})
			lost <- err
		}()
		<-service.slow
	}
	asked.progress(t, 500)
	before := upgrade(t, edge)
	asked.progress(t, asked.answered.Load()+2000) // of connections that were open all have heard that they end
	before.Kill()
	asked.progress(t, asked.answered.Load()+500)
	asked.check(t)
	for range slow {
		if err := <-lost; err == nil {
			t.Error("a request was answered by a process that was killed before its service answered")
		}
	}
	// What the dead process had counted and not sent, the next one sends.
	billedOnce(t, s, p, asked.answered.Load())
}

// A node that is alone has no identity that the next process could know it by, and nobody to ask.
func TestANodeThatIsAloneIsUpgraded(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(newGate(t).address)
	file := filepath.Join(t.TempDir(), "environment.snapshot")
	key, err := s.Environment.Export(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := s.Environment.StartFromFile(t.Context(), "", file, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = edge.Kill() })
	asked := startLoad(t, edge, s.Host, p.Key.Key)
	for range 2 {
		asked.progress(t, asked.answered.Load()+500)
		ended(t, upgrade(t, edge))
	}
	asked.progress(t, asked.answered.Load()+500)
	asked.check(t)
	// What three processes counted waits on the disk.
	harness.Eventually(t, time.Minute, func() error {
		if got := s.Metrics(edge).Sum("sallyport_edge_usage_earlier_boots"); got != 2 {
			return fmt.Errorf("counts of %v earlier boots wait, want 2", got)
		}
		return nil
	})
}

// The next process dies as it serves. Whoever starts it again need not wait until the one before it has answered its last request.
func TestANodeWhoseNextProcessDiesStartsThoughTheOneBeforeStillAnswers(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	service := newGate(t)
	p := s.Protected(service.address)
	edge := s.Edges()[0]
	slow := make(chan error, 1)
	go func() {
		answer, err := edge.Do(t.Context(), harness.Request{Host: s.Host, Path: "/slow", Header: harness.WithKey(p.Key.Key)})
		if err == nil && answer.Status != http.StatusOK {
			err = errors.New(answer.String())
		}
		slow <- err
	}()
	<-service.slow
	before := upgrade(t, edge)
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	close(service.open)
	if err := <-slow; err != nil {
		t.Errorf("the request that the first process had accepted: %v", err)
	}
	ended(t, before)
	billedOnce(t, s, p, 2)
}

// A process with another key than the running one's would find nothing but damage, and must not put it aside.
func TestANextProcessThatCannotReadTheStateIsRefusedAndTheStateStays(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(newGate(t).address)
	edge := s.Edges()[0]
	problems, err := s.Environment.Stack.RunEdge(t.Context(), []string{"SALLYPORT_STATE_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		"serve", "--data-dir", edge.DataDir, "--take-over", "--listen", strings.TrimPrefix(edge.URL, "http://"),
		"--admin-listen", strings.TrimPrefix(edge.AdminURL, "http://"), "--access-log=false")
	if err == nil || !strings.Contains(problems, "can't be read") {
		t.Errorf("it ended with %v, and is told %q", err, problems)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	if err := edge.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := edge.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	metrics := s.Metrics(edge)
	if metrics.Sum("sallyport_edge_state_alarms_total") != 0 || metrics.Sum("sallyport_edge_state_loaded_number") == 0 {
		t.Error("the state was put aside")
	}
}
