package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// reading is an upstream that reads the whole body, and fails as the body does.
type reading struct {
	asked int
	got   []byte
}

func (r *reading) Send(ex *pipeline.Exchange) (err error) {
	r.asked++
	if r.got, err = io.ReadAll(ex.Request.Body); err != nil {
		return err //nolint:wrapcheck // a rejection, as of a real one
	}
	ex.Response.Status = 200
	return nil
}

const open = `{
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [{"name": "r", "service": "s", "hosts": ["test"], "paths": [{"template": "/{all}"}], "methods": ["POST"], "public": true}],
	"policies": [{"name": "keys", "kind": "api-key", "mode": "off", "config": {}, "attached_to": [{"environment": true}]}, %s]
}`

// counted returns one counter of the verdicts of the proxy's stages.
func (e *edge) counted(kind string, verdict problem.Code) uint64 {
	for series, n := range e.metrics.All() {
		if series == (pipeline.Series{Kind: kind, Mode: pipeline.Enforce, Verdict: verdict}) {
			return n
		}
	}
	return 0
}

// serve takes a request through the proxy, and returns it unfinished.
func (e *edge) serve(r edgetest.Request, body string) *pipeline.Exchange {
	ex := e.proxy.Acquire()
	asked := e.Exchange(r)
	ex.Started, ex.Request, ex.Client = time.Now(), asked.Request, asked.Client
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), -1
	e.proxy.Serve(ex)
	return ex
}

func TestWhatAStageAnswersReachesNoUpstreamAndIsLoggedAsItsAnswer(t *testing.T) {
	upstream := new(reading)
	e := newEdge(t, upstream)
	e.configure(t, strings.Replace(open, "%s", `{"name": "moved", "kind": "respond", "attached_to": [{"environment": true}], "config": {"redirect": {"location": "/new"}}}`, 1))
	ex := e.serve(edgetest.Request{Method: "POST", Target: "/old"}, "")
	if ex.Response.Status != 307 || ex.Response.Header.Get("Location") != "/new" || ex.Response.Header.Get("X-Request-Id") == "" || upstream.asked != 0 {
		t.Errorf("%d %q, the service was asked %d times", ex.Response.Status, ex.Response.Header.Fields(), upstream.asked)
	}
	log := NewAccessLog(new(bytes.Buffer))
	log.write(ex, time.Now())
	var line struct {
		Verdict    string `json:"verdict"`
		AnsweredBy string `json:"answered_by"`
		Policy     string `json:"policy"`
	}
	if err := json.Unmarshal(log.filling, &line); err != nil || line.AnsweredBy != "moved" || line.Verdict != "allowed" || line.Policy != "" {
		t.Errorf("%s %v", log.filling, err)
	}
	e.proxy.Finish(ex)
}

func TestABodyThatStreamsBeyondItsLimitIsRefusedInThePolicysName(t *testing.T) {
	upstream := new(reading)
	e := newEdge(t, upstream)
	e.configure(t, strings.Replace(open, "%s", `{"name": "limits", "kind": "request-limits", "attached_to": [{"environment": true}], "config": {"max_body_bytes": 4}}`, 1))
	ex := e.serve(edgetest.Request{Method: "POST", Target: "/x"}, "123456789")
	if ex.Verdict != problem.BodyTooLarge || ex.Response.Status != 413 || ex.Rejection.Policy != "limits" || ex.Rejection.PolicyID.IsZero() || string(upstream.got) != "1234" {
		t.Errorf("%s %d by %+v; %q passed", ex.Verdict, ex.Response.Status, ex.Rejection, upstream.got)
	}
	if n := e.counted("request-limits", problem.BodyTooLarge); n != 1 {
		t.Errorf("the stage's refusals are counted as %d", n)
	}
	e.proxy.Finish(ex)
	if ex := e.serve(edgetest.Request{Method: "POST", Target: "/x"}, "1234"); ex.Verdict != pipeline.Allowed || string(upstream.got) != "1234" {
		t.Errorf("what fits: %s, %q", ex.Verdict, upstream.got)
	}
}

func TestAPreflightReachesNeitherAuthenticationNorUpstream(t *testing.T) {
	upstream := new(reading)
	e := newEdge(t, upstream)
	e.configure(t, strings.NewReplacer("%s", `{"name": "pages", "kind": "cors", "attached_to": [{"environment": true}], "config": {"origins": ["https://a.example.com"]}}`,
		`"mode": "off", `, "", `, "public": true`, "").Replace(open))
	r := edgetest.Get("/x", "Origin: https://a.example.com", "Access-Control-Request-Method: POST")
	r.Method = "OPTIONS"
	if ex := e.serve(r, ""); ex.Response.Status != 204 || ex.Verdict != pipeline.Allowed || upstream.asked != 0 {
		t.Errorf("%d %s, the service was asked %d times", ex.Response.Status, ex.Verdict, upstream.asked)
	}
	r.Method = "POST"
	ex := e.serve(r, "")
	if ex.Response.Status != 401 || ex.Response.Header.Get("Access-Control-Allow-Origin") != "https://a.example.com" {
		t.Errorf("%d %q", ex.Response.Status, ex.Response.Header.Fields())
	}
}
