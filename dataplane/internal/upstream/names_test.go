package upstream

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

// zone is a name server on loopback that answers for any name with the addresses it has at the time; none: it fails.
type zone struct {
	mu        sync.Mutex
	addresses []string
	ttl       uint32
	asked     int
	hold      chan struct{} // answers wait for it
}

func (z *zone) set(ttl uint32, addresses ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.addresses, z.ttl = addresses, ttl
}

func (z *zone) questions() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// start lets the zone answer, and returns how to reach it.
func (z *zone) start(t *testing.T) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	server, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if z.hold != nil {
				<-z.hold
			}
			if reply := z.answer(buffer[:n]); reply != nil {
				_, _ = server.WriteTo(reply, from)
			}
		}
	})
	t.Cleanup(func() { _ = server.Close(); running.Wait() })
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}
}

func (z *zone) answer(question []byte) []byte {
	z.mu.Lock()
	defer z.mu.Unlock()
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	if len(z.addresses) == 0 {
		m.RCode = dnsmessage.RCodeServerFailure
	}
	for _, address := range z.addresses {
		if q.Type != dnsmessage.TypeA {
			continue
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: z.ttl},
			Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(address).To4())},
		})
	}
	if q.Type == dnsmessage.TypeA {
		z.asked++
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// everywhere is a service that answers on each loopback address with that address.
func everywhere(t *testing.T) (port string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			go replying(conn, host)
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

func TestANameIsAskedForAnewWhenItsAnswerIsOld(t *testing.T) {
	z := &zone{}
	z.set(1, "127.0.0.2")
	port := everywhere(t)
	r := node(t, Config{DialDNS: z.start(t)})
	pool := r.Pool(spec(snapshot.Target{Address: "orders.test.:" + port, Weight: 1}))
	wantAnswer(t, pool, request(t.Context(), "/"), "200 127.0.0.2")
	first := z.questions()
	for range 10 {
		wantAnswer(t, pool, request(t.Context(), "/"), "200 127.0.0.2")
	}
	if asked := z.questions(); asked > first+1 {
		t.Errorf("asked %d times for 11 requests", asked)
	}
	// Another address: idle connections to the old one aren't used any more, and no request fails.
	z.set(1, "127.0.0.3")
	eventually(t, "the new address is used", func() bool {
		got := answer(pool, request(t.Context(), "/"))
		if !strings.HasPrefix(got, "200 ") {
			t.Errorf("got %q", got)
		}
		return got == "200 127.0.0.3"
	})
	// The name server fails: the last address stays.
	target := pool.members[0].target
	z.set(1)
	eventually(t, "the failure is counted", func() bool { return target.counts.lookupsFailed.Load() > 0 })
	target.closeIdle(func(*conn) bool { return true })
	wantAnswer(t, pool, request(t.Context(), "/"), "200 127.0.0.3")
}

func TestAllAddressesOfANameAreUsedAndADeadOneSkipped(t *testing.T) {
	z := &zone{}
	z.set(60, "127.0.0.2", "127.0.0.3", "127.0.0.4")
	r := node(t, Config{DialDNS: z.start(t)})
	pool := r.Pool(spec(snapshot.Target{Address: "orders.test.:" + everywhere(t), Weight: 1}))
	target, seen := pool.members[0].target, map[string]bool{}
	for range 9 {
		seen[answer(pool, request(t.Context(), "/"))] = true
		target.closeIdle(func(*conn) bool { return true })
	}
	if len(seen) != 3 {
		t.Errorf("used %v, want all three", seen)
	}
	// Nobody listens at the first address: whichever is tried first, the other one answers.
	z2 := &zone{}
	z2.set(60, "127.0.0.9", "127.0.0.2")
	port := on(t, "127.0.0.2")
	r2 := node(t, Config{DialDNS: z2.start(t)})
	pool = r2.Pool(spec(snapshot.Target{Address: "orders.test.:" + port, Weight: 1}))
	for range 4 {
		wantAnswer(t, pool, request(t.Context(), "/"), "200 127.0.0.2")
		pool.members[0].target.closeIdle(func(*conn) bool { return true })
	}
}

// on is a service at one address alone.
func on(t *testing.T, host string) (port string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", host+":0")
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
			go replying(conn, host)
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

func TestTheGuardStandsBehindTheDNS(t *testing.T) {
	z := &zone{}
	z.set(60, "127.0.0.2", "169.254.169.254")
	s := spec(snapshot.Target{Address: "orders.test.:80", Weight: 1})
	s.AllowedTargets = nil
	wantAnswer(t, node(t, Config{DialDNS: z.start(t)}).Pool(s), request(t.Context(), "/"), string(problem.UpstreamAddressRefused))
}

// However many requests come first, the DNS is asked once; and a name server that is silent holds nobody for long.
func TestTheFirstRequestsShareOneQuestion(t *testing.T) {
	z := &zone{hold: make(chan struct{})}
	z.set(60, "127.0.0.2")
	r := node(t, Config{DialDNS: z.start(t)})
	pool := r.Pool(spec(snapshot.Target{Address: "orders.test.:" + everywhere(t), Weight: 1}))
	const many = 20
	done := make(chan string, many)
	for range many {
		go func() { done <- answer(pool, request(t.Context(), "/")) }()
	}
	eventually(t, "all wait", func() bool { return pool.members[0].target.open.Load() == many })
	close(z.hold)
	for range many {
		if got := <-done; got != "200 127.0.0.2" {
			t.Errorf("got %q", got)
		}
	}
	if asked := z.questions(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestASilentNameServerHoldsNobodyForLong(t *testing.T) {
	z := &zone{hold: make(chan struct{})}
	r := node(t, Config{DialDNS: z.start(t)})
	defer close(z.hold)
	s := spec(snapshot.Target{Address: "orders.test.:80", Weight: 1})
	s.Connect = 50 * time.Millisecond
	wantAnswer(t, r.Pool(s), request(t.Context(), "/"), string(problem.UpstreamUnreachable))
}
