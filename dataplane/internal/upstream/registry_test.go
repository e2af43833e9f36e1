package upstream

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

// A revision that changes anything of a service but its targets' addresses and TLS leaves connections, and what is known, as they are.
func TestATargetStaysItselfOverRevisions(t *testing.T) {
	r, address := node(t, Config{}), service(t, serving)
	first := r.Pool(spec(snapshot.Target{Address: address, Weight: 1}))
	wantAnswer(t, first, request(t.Context(), "/"), "200 1")
	changed := spec(snapshot.Target{Address: address, Weight: 7}, snapshot.Target{Address: "127.0.0.1:1"})
	changed.ResponseHead, changed.Balancing, changed.Try = time.Minute, snapshot.LeastRequests, time.Minute
	second := r.Pool(changed)
	wantAnswer(t, second, request(t.Context(), "/"), "200 1")
	if first.members[0].target != second.members[0].target {
		t.Error("the target became another")
	}
	changed.TLS.On = true
	if r.Pool(changed).members[0].target == first.members[0].target {
		t.Error("a target that is spoken to over TLS shares connections with one that isn't")
	}
	runtime.KeepAlive(first)
}

// Once no service has it, a target's connections end, and nothing of it is kept.
func TestATargetThatNoServiceHasIsGone(t *testing.T) {
	r, address := node(t, Config{}), service(t, serving)
	var left *target
	func() {
		pool := r.Pool(spec(snapshot.Target{Address: address, Weight: 1}))
		wantAnswer(t, pool, request(t.Context(), "/"), "200 1")
		left = pool.members[0].target
	}()
	eventually(t, "it is gone", func() bool {
		runtime.GC()
		return len(r.all()) == 0
	})
	if open := left.open.Load(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

// What the environment doesn't allow any more isn't connected to, and connections that are open already aren't used.
func TestAnAddressThatIsNoLongerAllowedIsLeft(t *testing.T) {
	r, address := node(t, Config{}), service(t, serving)
	allowed := spec(snapshot.Target{Address: address, Weight: 1})
	pool := r.Pool(allowed)
	wantAnswer(t, pool, request(t.Context(), "/"), "200 1")
	under := request(t.Context(), "/")
	if err := pool.Send(under); err != nil {
		t.Fatal(err)
	}
	refused := allowed
	refused.AllowedTargets = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	next := r.Pool(refused)
	target := next.members[0].target
	if idle := target.idle(); idle != 0 {
		t.Errorf("%d connections are kept", idle)
	}
	wantAnswer(t, next, request(t.Context(), "/"), string(problem.UpstreamAddressRefused))
	// The one that was in use comes back, and isn't used either.
	_ = under.Response.Body.Close()
	wantAnswer(t, next, request(t.Context(), "/"), string(problem.UpstreamAddressRefused))
	if open := target.open.Load(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
	wantAnswer(t, r.Pool(allowed), request(t.Context(), "/"), "200 2")
	runtime.KeepAlive(pool)
}

func TestConnectionsThatNobodyUsesEnd(t *testing.T) {
	pool := at(t, service(t, serving))
	wantAnswer(t, pool, request(t.Context(), "/"), "200 1")
	target := pool.members[0].target
	for i := range target.shelves {
		for _, c := range target.shelves[i].conns {
			c.idleSince = c.idleSince.Add(-idleTimeout)
		}
	}
	eventually(t, "it is closed", func() bool { return target.open.Load() == 0 })
	wantAnswer(t, pool, request(t.Context(), "/"), "200 2")
	// One that is old ends when the exchange on it does, however busy it is.
	ex := request(t.Context(), "/")
	if err := pool.Send(ex); err != nil {
		t.Fatal(err)
	}
	ex.Response.Body.(*body).conn.opened = time.Time{}
	_ = ex.Response.Body.Close()
	wantAnswer(t, pool, request(t.Context(), "/"), "200 3")
}

func TestMoreTargetsThanThereIsRoomForAreToldOfTogether(t *testing.T) {
	r := node(t, Config{})
	const many = mostTold + 10
	var targets []snapshot.Target
	for i := range many {
		targets = append(targets, snapshot.Target{Address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i+1)).String(), Weight: 1})
	}
	pool := r.Pool(spec(targets...))
	for i := range pool.members {
		pool.members[i].target.counts.retries.Add(1)
	}
	all, retried := r.Stats(), uint64(0)
	for _, s := range all {
		retried += s.Retried
	}
	if len(all) != mostTold+1 || retried != many {
		t.Errorf("told of %d targets with %d events, want %d with %d", len(all), retried, mostTold+1, many)
	}
}
