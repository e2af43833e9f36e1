package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/bench/machine"
	"github.com/sallyport/sallyport/tests/bench/origin"
)

var plain = [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), []byte("GET /other HTTP/1.1\r\nHost: a.test\r\n\r\n")}

func startOrigin(t *testing.T) *origin.Origin {
	t.Helper()
	o, err := origin.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func connect(t *testing.T, protocol Protocol, lines int) *Clients {
	t.Helper()
	c, err := Connect(t.Context(), protocol, lines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAPercentileIsTheSmallestTimeThatSoManyDoNotExceed(t *testing.T) {
	hundred := make(Latencies, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i) // in no order
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 50, 98.5: 99, 99: 99, 99.9: 100, 100: 100} {
		if got := hundred.Percentile(p); got != want {
			t.Errorf("p%v of 1 to 100 is %d, want %d", p, got, want)
		}
	}
	if got := (Latencies{7}).Percentile(99); got != 7 {
		t.Errorf("p99 of one is %d", got)
	}
	if got := Latencies(nil).Percentile(99); got != 0 {
		t.Errorf("p99 of none is %d", got)
	}
}

func TestAHeadIsReadForItsStatusAndLength(t *testing.T) {
	for head, want := range map[string][2]int{
		"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n":                     {200, 64},
		"HTTP/1.1 429 Too Many\r\nA: b\r\ncONTENT-lENGTH:0\r\nC: d\r\n\r\n": {429, 0},
		"HTTP/1.1 200\r\nX-Content-Length: 9\r\nContent-Length: 5 \r\n\r\n": {200, 5},
	} {
		status, length, err := parseHead([]byte(head))
		if err != nil || [2]int{status, length} != want {
			t.Errorf("%q is %d with %d bytes (%v), want %v", head, status, length, err, want)
		}
	}
	for _, head := range []string{
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 2x0 OK\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "",
	} {
		if status, length, err := parseHead([]byte(head)); err == nil {
			t.Errorf("%q is %d with %d bytes, want an error", head, status, length)
		}
	}
}

func TestAClosedLoopCountsWhatWasAnswered(t *testing.T) {
	o := startOrigin(t)
	post := append([]byte("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10240\r\n\r\n"), make([]byte, 10240)...)
	for name, protocol := range map[string]Protocol{
		"plain":     &HTTP{Target: Target{Address: o.Address}, Requests: plain, Answer: origin.ShortAnswer},
		"10 KB":     &HTTP{Target: Target{Address: o.Address}, Requests: [][]byte{post}, Answer: origin.LongAnswer},
		"WebSocket": &WebSocket{Target: Target{Address: o.Address}, Host: "a.test", Path: "/"},
	} {
		t.Run(name, func(t *testing.T) {
			got := connect(t, protocol, 4).Closed(t.Context(), 50*time.Millisecond)
			if got.Answered < 4 || got.Failed > 0 || got.Took < 50*time.Millisecond {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestHandshakesAreWholeAndNew(t *testing.T) {
	var connections, resumed atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		_, _ = io.WriteString(w, "ok")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	defer server.Close()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	got := connect(t, &Handshakes{Target: Target{Address: server.Listener.Addr().String(), TLS: config}, Request: plain[0], Answer: 2}, 2).
		Closed(t.Context(), 50*time.Millisecond)
	if got.Answered == 0 || got.Failed > 0 {
		t.Errorf("%+v", got)
	}
	if n := connections.Load(); n < int64(got.Answered) || resumed.Load() > 0 {
		t.Errorf("%d requests over %d connections, %d of them resumed", got.Answered, n, resumed.Load())
	}
}

// answering is a server that answers each request with the same bytes.
func answering(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestAnotherAnswerThanTheExpectedOneFails(t *testing.T) {
	for name, answer := range map[string]string{
		"status":         "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok",
		"length":         "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noks",
		"more behind it": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\noks",
		"no HTTP":        "hello\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			protocol := &HTTP{Target: Target{Address: answering(t, answer)}, Requests: plain, Answer: 2}
			if _, err := Connect(t.Context(), protocol, 1); err == nil {
				t.Error("it connected")
			}
			c := &Clients{protocol: protocol, lines: make([]Line, 1)}
			defer c.Close()
			if got := c.Closed(t.Context(), 30*time.Millisecond); got.Answered > 0 || got.Failed == 0 || got.Failure == nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAWebSocketThatIsRefusedSaysSo(t *testing.T) {
	address := answering(t, "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
	_, err := Connect(t.Context(), &WebSocket{Target: Target{Address: address}, Host: "a.test", Path: "/"}, 1)
	if err == nil || !strings.Contains(err.Error(), "501") {
		t.Errorf("got %v", err)
	}
}

// slow answers each request after a while.
type slow struct{ takes time.Duration }

func (s slow) Dial(context.Context, int) (Line, error) { return s, nil }

func (s slow) Exchange(int) error {
	<-time.After(s.takes)
	return nil
}

func (slow) Close() error { return nil }

func TestAnOpenLoopCountsTheWaitOfThoseBehindASlowAnswer(t *testing.T) {
	const takes, lasting = 20 * time.Millisecond, 200 * time.Millisecond
	c := connect(t, slow{takes}, 1)
	got, latencies, err := c.Open(t.Context(), 100, lasting) // twice what one line can do
	if errors.Is(err, machine.ErrSystem) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Answered+got.Failed != len(latencies) {
		t.Fatalf("%+v with %d latencies", got, len(latencies))
	}
	// A closed loop would say that each took 20 ms.
	if p99 := latencies.Percentile(99); p99 < 2*takes {
		t.Errorf("p99 is %s, as if nobody had waited", p99)
	}
}

func TestARequestThatIsNeverAnsweredCountsAsFailedAndSlow(t *testing.T) {
	c := connect(t, slow{time.Millisecond}, 1)
	c.lines[0] = slow{patience + 100*time.Millisecond}
	got, latencies, err := c.Open(t.Context(), 1000, 20*time.Millisecond)
	if errors.Is(err, machine.ErrSystem) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Failed == 0 || latencies.Percentile(50) < patience {
		t.Errorf("%+v, p50 %s", got, latencies.Percentile(50))
	}
}

func TestAScheduleHasTheRateThatWasAskedForAndIsInOrder(t *testing.T) {
	due := schedule(50_000, 2*time.Second)
	if n := len(due); n < 98_000 || n > 102_000 {
		t.Errorf("%d requests are due in 2 s at 50,000 a second", n)
	}
	for i := 1; i < len(due); i++ {
		if due[i] < due[i-1] || due[i]%tick != 0 || due[i] > 2*time.Second {
			t.Fatalf("the %d. is due at %s after %s", i, due[i], due[i-1])
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	if n := poisson(random, 0); n != 0 {
		t.Errorf("%d of none happened", n)
	}
}

func TestPlainExchangesAllocateNothing(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + strings.Repeat("o", 64))
	go func() {
		defer server.Close()
		for held := make([]byte, 1024); ; {
			if n, err := server.Read(held); err != nil || !bytes.HasPrefix(held[:n], []byte("GET")) {
				return
			}
			if _, err := server.Write(answer); err != nil {
				return
			}
		}
	}()
	line := &httpLine{of: &HTTP{Requests: plain, Answer: 64}, conn: timed{Conn: client}, drawn: 1}
	if err := line.Exchange(0); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(100, func() {
		if err := line.Exchange(1); err != nil {
			t.Error(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations an exchange", got)
	}
}

// BenchmarkExchange is what clients and service cost together, with nobody between them.
func BenchmarkExchange(b *testing.B) {
	o, err := origin.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	c, err := Connect(b.Context(), &HTTP{Target: Target{Address: o.Address}, Requests: plain, Answer: origin.ShortAnswer}, 64)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	before, err := machine.OwnTime()
	if err != nil {
		b.Skip(err)
	}
	answered := 0
	for b.Loop() {
		answered += c.Closed(b.Context(), 100*time.Millisecond).Answered
	}
	after, err := machine.OwnTime()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((after-before).Nanoseconds())/float64(answered), "cpu-ns/exchange")
}
