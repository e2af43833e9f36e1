package proxy

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

const limited = `{
	"settings": [{"name": "settings", "max_staleness": "10s"}],
	"routes": [
		{"name": "open", "service": "s", "hosts": ["open"], "paths": [{"prefix": "/"}], "public": true},
		{"name": "known", "service": "s", "hosts": ["known"], "paths": [{"prefix": "/"}], "public": true}
	],
	"policies": [
		{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"route": "r"}, {"route": "known"}]},
		{"name": "shadow", "kind": "api-key", "mode": "shadow", "config": {}, "attached_to": [{"route": "open"}]},
		{"name": "limit", "gone": true}
	]
}`

// instant is an upstream that answers at once.
type instant struct{}

func (instant) Send(ex *pipeline.Exchange) error {
	ex.Response.Status = 204
	return nil
}

// ask returns status and verdict.
func (e *edge) ask(host, key string) (int, problem.Code) {
	ex := e.proxy.Acquire()
	defer e.proxy.Finish(ex)
	r := edgetest.Get("/x")
	r.Host = host
	if key != "" {
		r.Header = []pipeline.Field{{Name: "X-Api-Key", Value: key}}
	}
	asked := e.Exchange(r)
	ex.Started, ex.Request, ex.Client = time.Now(), asked.Request, asked.Client
	e.proxy.Serve(ex)
	return ex.Response.Status, ex.Verdict
}

func TestRoutesThatAuthenticateStopOnceTheControlPlaneIsSilentForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, instant{})
		e.configure(t, limited)
		expect := func(when, host, key string, status int, verdict problem.Code) {
			t.Helper()
			if gotStatus, got := e.ask(host, key); gotStatus != status || got != verdict {
				t.Errorf("%s: %s is answered %d %s, want %d %s", when, host, gotStatus, got, status, verdict)
			}
		}
		expect("nobody vouched yet", "test", e.key, 503, problem.ConfigurationStale)
		e.freshness.Begin()
		e.freshness.Heard(time.Now(), time.Now())
		time.Sleep(10 * time.Second)
		expect("at the limit", "test", e.key, 204, pipeline.Allowed)
		expect("at the limit", "test", "", 401, problem.CredentialMissing)
		expect("at the limit", "known", e.key, 204, pipeline.Allowed)

		time.Sleep(time.Millisecond)
		expect("beyond it", "test", e.key, 503, problem.ConfigurationStale)
		expect("beyond it", "test", "", 503, problem.ConfigurationStale) // before authentication
		expect("beyond it", "known", e.key, 503, problem.ConfigurationStale)
		expect("beyond it", "open", "", 204, pipeline.Allowed)

		e.freshness.Heard(time.Now(), time.Now())
		expect("heard again", "test", e.key, 204, pipeline.Allowed)
		time.Sleep(time.Minute)
		e.configure(t, `{"settings": [{"name": "settings"}]}`)
		expect("without a limit", "test", e.key, 204, pipeline.Allowed)
	})
}

func TestAStaleAnswerSaysWhenToTryAgain(t *testing.T) {
	e := newEdge(t, instant{})
	e.configure(t, limited)
	ex := e.open(t)
	defer e.proxy.Finish(ex)
	if got := ex.Response.Header.Get("Retry-After"); got != staleRetry {
		t.Errorf("Retry-After is %q", got)
	}
}
