package listener

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// running starts a listener, with a sweeper of its own, and returns how to stop it and where its end is told.
func running(t *testing.T, cfg Config) (address string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Plain, cfg.Logger, cfg.Sweeper = listener, slog.New(slog.DiscardHandler), sweeper.New()
	sweeping, rest := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	end := make(chan error, 1)
	swept := make(chan error, 1)
	go func() { swept <- cfg.Sweeper.Run(sweeping) }()
	go func() {
		err := Run(ctx, cfg)
		rest()
		end <- errors.Join(err, <-swept)
	}()
	return listener.Addr().String(), stop, end
}

// exchange sends one request on a connection and returns its answer, the body read.
func exchange(t *testing.T, conn net.Conn, reader *bufio.Reader) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAStoppingListenerAnswersOnOpenConnectionsAndAsksForNoMore(t *testing.T) {
	address, stop, ended := running(t, Config{Handler: new(echo), DrainTimeout: 10 * time.Second})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	if answer := exchange(t, conn, reader); answer.Close {
		t.Fatal("a connection is closed though nobody leaves")
	}
	stop()
	// Idle when the end began: it must not be closed under a client that is just sending. The listener hears of the end when it is scheduled.
	announced := false
	for end := time.Now().Add(20 * time.Second); !announced; {
		answer := exchange(t, conn, reader)
		if answer.StatusCode != http.StatusOK || time.Now().After(end) {
			t.Fatalf("got %d, close %t; want 200 and the connection's end announced", answer.StatusCode, answer.Close)
		}
		announced = answer.Close
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsCutOffAtTheEndIsFinishedBeforeRunReturns(t *testing.T) {
	began := make(chan struct{})
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		close(began)
		<-aborted(ex)
		ex.Response.Status = http.StatusOK
	}}
	address, stop, ended := running(t, Config{Handler: handler, DrainTimeout: 10 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	stop()
	if err := <-ended; err == nil {
		t.Error("nobody is told that a request was cut off")
	}
	if n := handler.finished.Load(); n != 1 {
		t.Errorf("%d requests were finished and so counted, want 1", n)
	}
}

// aborted returns what is closed once the exchange is aborted.
func aborted(ex *pipeline.Exchange) <-chan struct{} {
	cut := make(cutting)
	_ = ex.Abort.Hold(cut)
	return cut
}

type cutting chan struct{}

func (c cutting) Cut() { close(c) }

// Requests go on while the end begins: each that is sent on an open connection is answered, and the answer says when to go.
func TestNoRequestOnAnOpenConnectionFailsWhileTheListenerStops(t *testing.T) {
	counters := new(Counters)
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		_, _ = io.Copy(io.Discard, ex.Request.Body)
		ex.Response.Status = http.StatusOK
	}}
	address, stop, ended := running(t, Config{Handler: handler, DrainTimeout: 10 * time.Second, Counters: counters})
	const many = 50
	results := make(chan error, many)
	var answered atomic.Int64
	for range many {
		conn := dial(t, address)
		go func() {
			reader := bufio.NewReader(conn)
			for {
				_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
				if err != nil {
					results <- err
					return
				}
				answer, err := http.ReadResponse(reader, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
				if err != nil || answer.Close {
					results <- err
					return
				}
				answered.Add(1)
			}
		}()
	}
	eventually(t, "all are busy", func() bool { return answered.Load() > 10*many })
	stop()
	for range many {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s := counters.Stats(); s.Open != 0 || s.Cut != 0 {
		t.Errorf("%d connections are open, %d were cut off", s.Open, s.Cut)
	}
}

func TestARequestThatComesInTheMomentOfAnIdleConnectionsEndIsServed(t *testing.T) {
	client, accepted := pair(t)
	e := newEngine(Config{Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	c := newConn(e, accepted)
	e.remember(c)
	say(t, client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	raw, err := accepted.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.bare(raw)
	eventually(t, "it is there", c.readableNow)
	e.leaving.Store(true)
	e.closeIdle(false)
	c.serve(nil)
	if answer, _ := next(t, bufio.NewReader(client), http.MethodGet); answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("got %d, close %t", answer.StatusCode, answer.Close)
	}
}

// They were accepted in the last moment before the node went: their clients have connected, and send what they want to know a moment later.
func TestConnectionsThatHaveJustBeenAcceptedAreServedThoughTheNodeGoes(t *testing.T) {
	e := newEngine(Config{Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	accept := func() *bufio.ReadWriter {
		client, accepted := pair(t)
		e.admit(accepted, nil)
		return bufio.NewReadWriter(bufio.NewReader(client), bufio.NewWriterSize(client, 0))
	}
	ask := func(client *bufio.ReadWriter) *http.Response {
		say(t, client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := client.Flush(); err != nil {
			t.Fatal(err)
		}
		answer, _ := next(t, client.Reader, http.MethodGet)
		return answer
	}
	used := accept()
	ask(used)
	var fresh []*bufio.ReadWriter
	for range 16 {
		fresh = append(fresh, accept())
	}
	eventually(t, "none is busy", func() bool {
		busy := 0
		e.each(func(c *conn) {
			if !c.idle() {
				busy++
			}
		})
		return busy == 0
	})
	e.leaving.Store(true)
	e.closeIdle(true)
	if _, err := used.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection that was of use before doesn't end: %v", err)
	}
	for _, client := range fresh {
		if answer := ask(client); answer.StatusCode != http.StatusOK || !answer.Close {
			t.Errorf("got %d, close %t", answer.StatusCode, answer.Close)
		}
	}
	// One that says nothing holds nobody up.
	silent := accept()
	e.closeIdle(false)
	if _, err := silent.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("a connection on which nothing comes doesn't end: %v", err)
	}
}
