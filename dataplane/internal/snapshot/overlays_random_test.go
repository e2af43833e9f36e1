package snapshot_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

// layers is an edge whose policies change by chance, on all levels.
type layers struct {
	*edgetest.Edge
	*rand.Rand

	keys     map[string]string // of consumers
	expected sync.Map          // by revision, request and consumer: what was decided under a snapshot made from nothing
}

func newLayers(t *testing.T) *layers {
	t.Helper()
	l := &layers{Edge: edgetest.New(t, policies.All()...), Rand: rand.New(rand.NewPCG(7, 7)), keys: map[string]string{}} // #nosec G404 -- a test
	l.Configure(t, `{"services": [`+orders+`, `+strings.Replace(orders, `"orders"`, `"others"`, 1)+`], "routes": [
		{"name": "a", "service": "orders", "paths": [{"prefix": "/a"}]}, {"name": "b", "service": "orders", "paths": [{"prefix": "/b"}]},
		{"name": "c", "service": "others", "paths": [{"prefix": "/c"}]}],
		"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}]}`)
	for _, name := range []string{"alice", "bob", "carol"} {
		l.keys[name] = l.Key(t, name, edgetest.Key{})
	}
	return l
}

// change changes one policy, or a route: some go, some come, some are attached elsewhere.
func (l *layers) change(n int) string {
	of := func(all ...string) string { return all[l.IntN(len(all))] }
	name := fmt.Sprint("p", l.IntN(8))
	switch {
	case l.IntN(5) == 0:
		return fmt.Sprintf(`{"policies": [{"name": %q, "gone": true}]}`, name)
	case l.IntN(8) == 0:
		return fmt.Sprintf(`{"routes": [{"name": "c", "service": %q, "paths": [{"prefix": "/c"}]}]}`, of("orders", "others"))
	}
	kind := of(
		fmt.Sprintf(`"kind": "headers", "config": {"request": {"add": [{"name": "X-Trail", "value": "%s of %d"}]}}`, name, n),
		fmt.Sprintf(`"kind": "respond", "config": {"fixed": {"status": %d}}`, 400+l.IntN(99)),
		fmt.Sprintf(`"kind": "acl", "config": {"deny": [{"consumers": [%q]}], "otherwise": "allow"}`, l.ID("consumers", of("alice", "bob", "carol"))),
	)
	places := map[string]bool{}
	for range 1 + l.IntN(3) {
		places[of(`{"environment": true}`, `{"service": "orders"}`, `{"route": "a"}`, `{"route": "c"}`, `{"consumer": "alice"}`, `{"consumer": "alice"}`, `{"consumer": "bob"}`)] = true
	}
	var at []string
	for place := range places {
		at = append(at, place)
	}
	return fmt.Sprintf(`{"policies": [{"name": %q, "mode": %q, "final": %v, "position": %d, "attached_to": [%s], %s}]}`,
		name, of("enforce", "enforce", "off"), l.IntN(4) == 0, l.IntN(3), strings.Join(at, ","), kind)
}

// decided is all that policies decided on a request.
func (l *layers) decided(s *snapshot.Snapshot, consumer, target string) string {
	ex := l.Exchange(edgetest.Get(target, "X-Api-Key: "+l.keys[consumer]))
	route, err := s.Route(ex)
	if err != nil {
		return err.Error()
	}
	_ = route.Stages.Run(ex)
	var trail []string
	for _, f := range ex.Request.Header.Fields() {
		if f.Name == "X-Trail" {
			trail = append(trail, f.Value)
		}
	}
	refused := ""
	if ex.Rejection != nil {
		refused = ex.Rejection.Policy
	}
	var ran []string
	for _, p := range route.Stages.For(ex).Policies() {
		ran = append(ran, p.Name)
	}
	return fmt.Sprint(ex.Verdict, " ", refused, " ", ex.AnsweredBy.Policy, " ", ex.Response.Status, " ", trail, " of ", ran)
}

var targets = []string{"/a", "/b", "/c"}

// What an overlay made of a route's stages before must never decide after either has changed, and a request under way ends under the
// snapshot that it began with.
func TestOverlaysDecideAsIfEveryRevisionWereMadeFromNothing(t *testing.T) {
	l := newLayers(t)
	l.expect(t, l.Holder.Load())
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				l.compare(t, l.Holder.Load())
			}
		})
	}
	defer clients.Wait()
	defer stop()
	seen := map[string]bool{}
	for n := range 300 {
		before := l.Holder.Load()
		// Aside, as a node does it: what is expected under a snapshot is known before anybody sees it.
		l.Holder.Store(l.next(t, n))
		l.compare(t, before) // whose overlays the next one may share
		l.compare(t, l.Holder.Load())
		seen[l.decided(l.Holder.Load(), "alice", "/a")] = true
		if t.Failed() {
			t.Fatalf("after change %d", n)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d different outcomes: the world is too simple", len(seen))
	}
}

// next returns the snapshot that a change leads to.
func (l *layers) next(t *testing.T, n int) *snapshot.Snapshot {
	t.Helper()
	before := l.Holder.Load()
	l.Take(t, l.change(n))
	next, errs := snapshot.Compile(l.Env, before.Revision+1, l.Sources(), before)
	if len(errs) > 0 {
		t.Fatal(edgetest.Codes(errs))
	}
	l.expect(t, next)
	return next
}

// expect notes what is decided under a snapshot of the same objects that was made from nothing.
func (l *layers) expect(t *testing.T, s *snapshot.Snapshot) {
	t.Helper()
	fresh, errs := snapshot.Compile(l.Env, s.Revision, l.Sources(), nil)
	if len(errs) > 0 {
		t.Fatal(edgetest.Codes(errs))
	}
	for consumer := range l.keys {
		for _, target := range targets {
			l.expected.Store(fmt.Sprint(s.Revision, consumer, target), l.decided(fresh, consumer, target))
		}
	}
}

// compare sends every request there is.
func (l *layers) compare(t *testing.T, s *snapshot.Snapshot) {
	t.Helper()
	for consumer := range l.keys {
		for _, target := range targets {
			want, _ := l.expected.Load(fmt.Sprint(s.Revision, consumer, target))
			if got := l.decided(s, consumer, target); got != want {
				t.Errorf("revision %d, %s at %s: %s, made from nothing %s", s.Revision, consumer, target, got, want)
			}
		}
	}
}
