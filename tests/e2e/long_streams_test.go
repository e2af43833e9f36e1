package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// streamBound is how long the end of a stream is waited for; the product promises a second.
const streamBound = 30 * time.Second

// ticker is a service whose streams never end by themselves.
func ticker(t *testing.T) string {
	t.Helper()
	return harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := fmt.Fprint(w, "data: tick\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})).Address
}

// stream is an open stream, read by a goroutine.
type stream struct {
	edge   string
	events chan struct{} // holds one when something came since it was last asked
	ended  chan error    // how it ended: nil, as if it were whole
}

// openStreams opens a stream on every edge.
func openStreams(t *testing.T, s *harness.Story, header http.Header) []*stream {
	t.Helper()
	return openStreamsAt(t, s, "/events", header)
}

func openStreamsAt(t *testing.T, s *harness.Story, path string, header http.Header) []*stream {
	t.Helper()
	var open []*stream
	for _, edge := range s.Edges() {
		ctx, leave := context.WithTimeout(t.Context(), 4*streamBound)
		t.Cleanup(leave)
		answer, err := edge.Stream(ctx, harness.Request{Path: path, Host: s.Host, Header: header})
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("the stream on %s was answered %d", edge.Name, answer.StatusCode)
		}
		one := &stream{edge: edge.Name, events: make(chan struct{}, 1), ended: make(chan error, 1)}
		open = append(open, one)
		go one.read(answer.Body)
	}
	for _, one := range open {
		one.goesOn(t)
	}
	return open
}

func (s *stream) read(body io.ReadCloser) {
	defer body.Close()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		select {
		case s.events <- struct{}{}:
		default:
		}
	}
	s.ended <- lines.Err()
}

// goesOn returns once several more events have come.
func (s *stream) goesOn(t *testing.T) {
	t.Helper()
	bound := time.After(streamBound)
	for range 4 {
		select {
		case <-s.events:
		case err := <-s.ended:
			t.Fatalf("the stream on %s ended: %v", s.edge, err)
		case <-bound:
			t.Fatalf("no event came on %s", s.edge)
		}
	}
}

// ends returns once the stream was cut off, and fails the test when it ended as if it were whole.
func (s *stream) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.ended:
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the stream on %s ended with %v, want it cut off", s.edge, err)
		}
	case <-time.After(streamBound):
		t.Errorf("the stream on %s goes on", s.edge)
	}
}

func TestARevokedKeysStreamsEndOnEveryEdgeAndOthersGoOn(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(ticker(t))
	other := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	revoked, going := openStreams(t, s, harness.WithKey(p.Key.Key)), openStreams(t, s, harness.WithKey(other.Key))

	s.Revoke(p.Key)

	for _, one := range revoked {
		one.ends(t)
	}
	for _, one := range going {
		one.goesOn(t)
	}
}

func TestAStreamEndsWhenItsKeyExpires(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(ticker(t))
	short := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, ExpiresAt: time.Now().Add(shortLife)})
	expiring, going := openStreams(t, s, harness.WithKey(short.Key)), openStreams(t, s, harness.WithKey(p.Key.Key))
	for _, one := range expiring {
		one.ends(t)
	}
	for _, one := range going {
		one.goesOn(t)
	}
}

// The service never gets the end of the request, and so never answers.
func TestAnUploadThatGoesOnForEverIsAnsweredOnceItsKeyIsRevoked(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	arrived, gone := make(chan struct{}), make(chan struct{})
	// One that reads as it comes: the harness's own services take the whole body first.
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 5)); err == nil {
			close(arrived)
			_, _ = io.Copy(io.Discard, r.Body)
		}
		close(gone)
	}))
	t.Cleanup(service.Close)
	p := s.Protected(service.Listener.Addr().String())
	answered := make(chan harness.Response, 1)
	go func() {
		answer, err := s.Edges()[0].DoRaw(t.Context(), "POST /up HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Api-Key: "+p.Key.Key+
			"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		if err != nil {
			t.Error(err)
		}
		answered <- answer
	}()
	select {
	case <-arrived:
	case <-time.After(streamBound):
		t.Fatal("the upload doesn't arrive")
	}

	s.Revoke(p.Key)

	if answer := <-answered; answer.Status != http.StatusForbidden || answer.Code() != "stream_ended" {
		t.Errorf("it is answered %s", answer)
	}
	select {
	case <-gone:
	case <-time.After(streamBound):
		t.Error("the service still waits for the rest")
	}
}

func TestASuspendedConsumersStreamsEnd(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(ticker(t))
	open := openStreams(t, s, harness.WithKey(p.Key.Key))
	suspended, err := s.API.PutConsumerWithResponse(t.Context(), s.Environment.Name, p.Consumer.Name, &sallyport.PutConsumerParams{Wait: s.Wait()},
		sallyport.Consumer{Name: p.Consumer.Name, Suspended: true})
	s.Must(suspended, err)
	for _, one := range open {
		one.ends(t)
	}
}

func TestABlockedConsumersStreamsEndOnEveryEdgeAndOthersGoOn(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(ticker(t))
	second := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	stranger := s.Key(sallyport.APIKey{Consumer: s.Consumer("stranger").Name})
	blocked := append(openStreams(t, s, harness.WithKey(p.Key.Key)), openStreams(t, s, harness.WithKey(second.Key))...)
	going := openStreams(t, s, harness.WithKey(stranger.Key))

	block(t, s, sallyport.Block{Consumer: p.Consumer.Name})

	for _, one := range blocked {
		one.ends(t)
	}
	for _, one := range going {
		one.goesOn(t)
	}
}

// An address is blocked whatever its streams were let in by, also where nobody was asked to prove anything. Who names the client is
// a matter of settings, a whole environment's: it has one of its own.
func TestABlockedAddressesStreamsEndOnEveryRouteAndOthersGoOn(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	service := ticker(t)
	p := s.Protected(service)
	s.Route(sallyport.Route{Name: s.Name("open"), Service: s.Service("open", service).Name, Paths: harness.Below("/open"), Public: true})
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: []string{harness.Loopback}, TrustedProxies: []string{"127.0.0.1/32"}})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
	known, anonymous := harness.WithKey(p.Key.Key), http.Header{}
	open := func(client string) []*stream {
		known.Set("X-Forwarded-For", client)
		anonymous.Set("X-Forwarded-For", client)
		return append(openStreams(t, s, known), openStreamsAt(t, s, "/open", anonymous)...)
	}
	blocked, going := open("192.0.2.7"), open("198.51.100.7")

	block(t, s, sallyport.Block{AddressRange: "192.0.2.0/24"})

	for _, one := range blocked {
		one.ends(t)
	}
	for _, one := range going {
		one.goesOn(t)
	}
}

func TestAStreamSurvivesRevisionsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(ticker(t))
	open := openStreams(t, s, harness.WithKey(p.Key.Key))
	for n := range 3 {
		s.Route(sallyport.Route{
			Name: s.Name(fmt.Sprintf("more-%d", n)), Service: p.Service.Name,
			Paths: harness.Below(fmt.Sprintf("/more-%d", n)), Public: true,
		})
	}
	for _, one := range open {
		one.goesOn(t)
	}
	s.Revoke(p.Key)
	for _, one := range open {
		one.ends(t)
	}
}
