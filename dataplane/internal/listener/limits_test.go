package listener

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

func TestConnectionsBeyondALimitAreClosedAndCounted(t *testing.T) {
	for _, tt := range []struct {
		reason string
		set    func(*Limits)
	}{
		{"limit", func(l *Limits) { l.MaxConnections = 2 }},
		{"address_limit", func(l *Limits) { l.MaxConnectionsPerAddress = 2 }},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			limits, counters := DefaultLimits(), new(Counters)
			tt.set(limits)
			address := startWith(t, Config{Handler: new(echo), Limits: func() *Limits { return limits }, Counters: counters})
			const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
			var open []*net.TCPConn
			for range 2 {
				conn := dial(t, address)
				say(t, conn, get)
				expect(t, conn, []byte("HTTP/1.1 200"))
				open = append(open, conn)
			}
			beyond := dial(t, address)
			if text, _ := io.ReadAll(beyond); len(text) > 0 {
				t.Errorf("one too many was answered: %q", text)
			}
			if n := counters.Stats().Refused[tt.reason]; n != 1 {
				t.Errorf("counted %v", counters.Stats().Refused)
			}
			_ = open[0].Close()
			eventually(t, "its place is free", func() bool { return counters.Stats().Open == 1 })
			conn := dial(t, address)
			say(t, conn, get)
			expect(t, conn, []byte("HTTP/1.1 200"))
		})
	}
}

func TestAClientOfIPv6IsItsNetwork(t *testing.T) {
	key := func(s string) address { return addressKey(netip.MustParseAddr(s)) }
	if key("2001:db8::1") != key("2001:db8::ffff:0:0:1") || key("2001:db8::1") == key("2001:db8:0:1::1") {
		t.Error("a site is a /64")
	}
	if key("192.0.2.1") == key("192.0.2.2") {
		t.Error("addresses of IPv4 are one client each")
	}
}

// introduced is a connection that somebody has said is another's.
type introduced struct {
	net.Conn
	from netip.AddrPort
}

func (i introduced) NetConn() net.Conn    { return i.Conn }
func (i introduced) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(i.from) }

func TestAClientIsWhomTheIntroductionNames(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxConnectionsPerAddress = 1
	introduce := func(conn net.Conn) (net.Conn, error) {
		line := make([]byte, len("192.0.2.1\n"))
		if _, err := io.ReadFull(conn, line); err != nil {
			return nil, err
		}
		from, err := netip.ParseAddr(strings.TrimSpace(string(line)))
		return introduced{conn, netip.AddrPortFrom(from, 1)}, err
	}
	peer := make(chan netip.AddrPort, 1)
	counters := new(Counters)
	defer func() {
		counters.engine.Load().each(func(c *conn) {
			if c.raw == nil {
				t.Error("a connection that is only introduced isn't taken for the bare one that it is")
			}
		})
	}()
	address := startWith(t, Config{
		Introduce: introduce, Limits: func() *Limits { return limits }, Counters: counters,
		Handler: &echo{serve: func(ex *pipeline.Exchange) {
			peer <- ex.Client.Peer
			ex.Response.Status = 200
		}},
	})
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	conn := dial(t, address)
	say(t, conn, "192.0.2.1\n"+get)
	if got := <-peer; got.Addr() != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("the peer is %s", got)
	}
	other := dial(t, address)
	say(t, other, "192.0.2.2\n"+get)
	<-peer
	second := dial(t, address)
	say(t, second, "192.0.2.1\n"+get)
	if text, _ := io.ReadAll(second); len(text) > 0 {
		t.Errorf("one too many of an address was answered: %q", text)
	}
	unknown := dial(t, address)
	say(t, unknown, "who knows\n"+get)
	if text, _ := io.ReadAll(unknown); len(text) > 0 {
		t.Errorf("a client that nobody introduced was answered: %q", text)
	}
	s := counters.Stats().Refused
	if s["address_limit"] != 1 || s["introduction_failed"] != 1 {
		t.Errorf("counted %v", s)
	}
}

// failing is a listener that fails for a while.
type failing struct {
	net.Listener
	left atomic.Int32
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAcceptingGoesOnAfterItFailed(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &failing{Listener: inner}
	listener.left.Store(3)
	counters := new(Counters)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Plain: listener, Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New(), Counters: counters, DrainTimeout: 5 * time.Second})
	}()
	if status, _ := raw(t, inner.Addr().String(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != 200 {
		t.Errorf("got %d", status)
	}
	if n := counters.Stats().Refused["accept_failed"]; n != 3 {
		t.Errorf("%d failures were counted, want 3", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAListenerThatIsClosedUnderItsEngineIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	err = Run(t.Context(), Config{Plain: listener, Handler: new(echo), Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
