package listener

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// dial connects, for the length of the test.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// say sends bytes as they are.
func say(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// hearAll returns all that comes until the connection ends, which a reset is no end of.
func hearAll(t *testing.T, conn io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("after %q: %v", text, err)
	}
	return string(text)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("never: " + what)
		}
	}
}

func TestASlowHeadIsAnsweredWith408AndCounted(t *testing.T) {
	counters := new(Counters)
	handler := new(echo)
	conn := dial(t, startWith(t, Config{Handler: handler, Limits: hasty, Counters: counters}))
	say(t, conn, "GET / HTTP/1.1\r\nHost:")
	got := hearAll(t, conn)
	if !strings.HasPrefix(got, "HTTP/1.1 408 Request Timeout\r\n") || !strings.Contains(got, `"code":"request_timeout"`) || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if n := handler.finished.Load(); n != 1 {
		t.Errorf("%d requests were counted, want the one", n)
	}
	if s := counters.Stats(); s.Timeouts["head"] != 1 {
		t.Errorf("counted as %v", s.Timeouts)
	}
}

// A byte now and then must not make the time for a head longer.
func TestAHeadThatTricklesInIsGivenUp(t *testing.T) {
	conn := dial(t, startWith(t, Config{Handler: new(echo), Limits: hasty}))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	say(t, conn, "GET / HTTP/1.1\r\nX: ")
	for end := time.After(20 * time.Second); ; {
		select {
		case <-tick.C:
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
		case <-end:
			t.Fatal("it is still read")
		}
	}
}

func TestAConnectionWithoutARequestIsClosedInSilence(t *testing.T) {
	for _, tt := range []struct{ name, first, over string }{
		{"first", "", "first"},
		{"next", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "idle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			counters := new(Counters)
			limits := func() *Limits {
				l := hasty()
				l.Idle = 20 * time.Millisecond
				return l
			}
			conn := dial(t, startWith(t, Config{Handler: new(echo), Limits: limits, Counters: counters}))
			say(t, conn, tt.first)
			if got := hearAll(t, conn); strings.Count(got, "HTTP/1.1") != strings.Count(tt.first, "GET") {
				t.Errorf("got %q", got)
			}
			eventually(t, "it is counted", func() bool { return counters.Stats().Timeouts[tt.over] == 1 })
		})
	}
}

func TestABodyThatTricklesInIsRefused(t *testing.T) {
	b := &requestBody{conn: &conn{wire: wire{limits: &Limits{BodyRate: 100}}}}
	for _, tt := range []struct {
		bytes  int64
		waited time.Duration
		slow   bool
	}{
		{10, rateWindow - 1, false}, // not waited for long enough to know
		{999, rateWindow, true},
		{1000, rateWindow, false},
		{1999, 2 * rateWindow, true},
	} {
		b.bytes, b.conn.waited = tt.bytes, tt.waited
		if err := b.judgeRate(); (err != nil) != tt.slow {
			t.Errorf("%d bytes in %s: %v", tt.bytes, tt.waited, err)
		}
	}
}

// What the gateway itself waits for is no fault of the client's.
func TestOnlyWaitingForTheClientCountsAgainstABody(t *testing.T) {
	address := startWith(t, Config{Limits: impatient, Handler: &echo{serve: func(ex *pipeline.Exchange) {
		first := make([]byte, 5)
		if _, err := io.ReadFull(ex.Request.Body, first); err != nil {
			t.Error(err)
		}
		select { // several times as long as a client may be silent
		case <-aborted(ex):
			t.Error("the client counts as gone")
		case <-time.After(300 * time.Millisecond):
		}
		if _, err := io.ReadAll(ex.Request.Body); err != nil {
			t.Errorf("the rest of the body: %v", err)
		}
		ex.Response.Status = http.StatusOK
	}}})
	conn := dial(t, address)
	say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100010\r\n\r\nhello")
	say(t, conn, strings.Repeat("x", 100_005))
	if got := hearAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("got %q", got)
	}
}

// waiting is a handler that says why its exchange was aborted, or answers when it is told to.
func waiting(began chan<- struct{}, answer <-chan struct{}, cause chan<- error) *echo {
	return &echo{serve: func(ex *pipeline.Exchange) {
		cut := aborted(ex)
		began <- struct{}{}
		select {
		case <-cut:
			cause <- ex.Abort.Cause()
		case <-answer:
			_ = ex.Abort.Hold(nil)
		}
		ex.Response.Status = http.StatusOK
	}}
}

func TestAClientThatResetsItsConnectionEndsItsRequest(t *testing.T) {
	began, cause := make(chan struct{}, 1), make(chan error, 1)
	conn := dial(t, start(t, waiting(began, nil, cause)))
	say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	if err := errors.Join(conn.SetLinger(0), conn.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-cause; !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("aborted by %v", err)
	}
}

func TestAClientThatEndsItsSideGetsAQuickAnswerAndNoSlowOne(t *testing.T) {
	began, answer, cause := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	address := start(t, waiting(began, answer, cause))
	ask := func() *net.TCPConn {
		conn := dial(t, address)
		say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		<-began
		return conn
	}
	quick := ask()
	answer <- struct{}{}
	if got := hearAll(t, quick); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("got %q", got)
	}
	ask()
	if err := <-cause; !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("aborted by %v", err)
	}
}

func TestAClientThatHasSentItsNextRequestIsThere(t *testing.T) {
	began, answer, cause := make(chan struct{}, 2), make(chan struct{}), make(chan error, 1)
	conn := dial(t, start(t, waiting(began, answer, cause)))
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	say(t, conn, get+get)
	<-began
	select { // longer than whoever sends nothing more would be waited for
	case err := <-cause:
		t.Fatalf("aborted by %v", err)
	case <-time.After(halfClosed + halfClosed/2):
	}
	reader := bufio.NewReader(conn)
	for i := range 2 {
		answer <- struct{}{}
		got, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if i == 0 {
			<-began
		}
	}
}

func TestAPeerIsLookedAtWithoutTakingAnything(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := dial(t, listener.Addr().String())
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	raw, err := accepted.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var plainly, blindly watch
	plainly.open(raw, false)
	blindly.open(raw, true)
	look := func(w *watch) presence {
		if err := raw.Control(w.peek); err != nil {
			t.Fatal(err)
		}
		return w.found
	}
	if a, b := look(&plainly), look(&blindly); a != there || b != there {
		t.Errorf("idle: %d, %d", a, b)
	}
	say(t, client, "x")
	eventually(t, "the byte is there", func() bool {
		there := false
		_ = raw.Control(func(fd uintptr) {
			n, _ := peek(fd, make([]byte, 1))
			there = n == 1
		})
		return there
	})
	if a, b := look(&plainly), look(&blindly); a != there || b != there {
		t.Errorf("with a byte: %d, %d", a, b)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// Over TLS the byte may be the word that the client goes.
	eventually(t, "an end behind bytes is seen", func() bool { return look(&blindly) == ended })
	if a := look(&plainly); a != there {
		t.Errorf("bytes of a next request: %d", a)
	}
	if _, err := accepted.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an end is seen", func() bool { return look(&plainly) == ended })
}
