package explain

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/proxy"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
)

// An explanation is sent long after its request's memory is another one's.
func TestAnExplanationKeepsNothingOfItsRequestsMemory(t *testing.T) {
	e := edgetest.New(t, policies.All()...)
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [
			{"name": "r", "service": "s", "paths": [{"template": "/{all}"}], "public": true},
			{"name": "near", "service": "s", "hosts": ["near.test"], "paths": [{"template": "/{all}"}], "public": true},
			{"name": "picky", "service": "s", "paths": [{"template": "/{all}"}], "headers": [{"name": "X-Picky", "exact": "yes"}], "query": [{"name": "picky", "exact": "no"}], "public": true}
		],
		"policies": [{"name": "fields", "kind": "headers", "attached_to": [{"environment": true}], "config": {"request": {"set": [{"name": "X-All", "value": "{request.path}"}]}}}]
	}`)
	p := proxy.New(proxy.Config{
		Snapshots: &e.Holder, Directory: e.Directory, Freshness: freshness.New(time.Now()), Streams: streams.NewRegistry(e.Directory), Usage: usage.NewRecorder(),
	})
	config := &Config{Gateway: p, Snapshots: &e.Holder, Directory: e.Directory, Logger: slog.New(slog.DiscardHandler)}
	for _, target := range []string{"/seven?picky=maybe", "/seven/eight"} {
		lent := new(edgetest.Lent)
		r := &rehearsal{config: config, trace: pipeline.NewTrace()}
		ex := r.Acquire()
		asked := e.Exchange(edgetest.Get(target, "X-Picky: maybe", "Referer: https://a.example/?b=c"))
		ex.ID, ex.Started, ex.Client = id.New(time.Now()), time.Now(), asked.Client
		lent.Fill(&ex.Request, &asked.Request)
		r.Serve(ex)
		r.Finish(ex)
		r.trace.Free()
		lent.Overwrite()
		if held := lent.Held(r.notes); len(held) != 0 {
			t.Errorf("%s: the memory is held by %s", target, strings.Join(held, "\n"))
		}
		text, err := protojson.Marshal(r.notes)
		if err != nil || !strings.Contains(string(text), "/seven") || !strings.Contains(string(text), "maybe") && target != "/seven/eight" {
			t.Errorf("%s: explained as %s, %v", target, text, err)
		}
	}
}
