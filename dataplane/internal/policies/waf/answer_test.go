package waf_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

const leak = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"

// answered takes a request through the edge, whose service gives this answer.
func answered(t *testing.T, e *edgetest.Edge, r edgetest.Request, status int, body string, length int64, fields ...string) *pipeline.Exchange {
	t.Helper()
	ex := e.Exchange(r)
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		t.Fatal(err)
	}
	if refused := route.Stages.Run(ex); refused != nil {
		t.Fatalf("the request is refused: %+v", refused)
	}
	ex.Response.Status, ex.Response.ContentLength = status, length
	if length != 0 {
		ex.Response.Body = io.NopCloser(strings.NewReader(body))
	}
	for _, line := range fields {
		name, value, _ := strings.Cut(line, ": ")
		ex.Response.Header.Add(name, value)
	}
	ex.Response.Header.Add("X-Of-Service", "1")
	_ = route.Stages.Respond(ex)
	return ex
}

func bodyOf(ex *pipeline.Exchange) string {
	if ex.Response.Body == nil {
		return ""
	}
	b, _ := io.ReadAll(ex.Response.Body)
	return string(b)
}

func TestAnAnswerThatGivesSomethingAwayIsWithheldWhole(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true}}`)
	for name, tt := range map[string]struct {
		body   string
		length int64
		fields []string
	}{
		"plain":   {leak, int64(len(leak)), []string{"Content-Type: text/html; charset=utf-8"}},
		"chunked": {leak, -1, []string{"Content-Type: application/problem+json"}},
		"gzip":    {zipped(leak), -1, []string{"Content-Type: text/plain", "Content-Encoding: gzip"}},
		"br":      {brotlied(leak), -1, []string{"Content-Type: text/plain", "Content-Encoding: br"}},
	} {
		ex := answered(t, e, get("/"), 200, tt.body, tt.length, tt.fields...)
		body := bodyOf(ex)
		if ex.Response.Status != 502 || ex.Verdict != problem.WafAnswerBlocked || strings.Contains(body, "SQL syntax") || ex.Response.Header.Has("X-Of-Service") {
			t.Errorf("%s: %d %s %v: %s", name, ex.Response.Status, ex.Verdict, ex.Response.Header.Fields(), body)
		}
		if !slices.ContainsFunc(ex.Findings, func(f pipeline.Finding) bool { return f.InAnswer && f.Target == "answer-body" && f.Score > 0 }) {
			t.Errorf("%s: %+v", name, ex.Findings)
		}
	}
}

func TestAnAnswerThatPassesIsWhatTheServiceSent(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true, "max_bytes": 2000}}`)
	large := strings.Repeat("a", 1990) + leak
	for name, tt := range map[string]struct {
		method string
		status int
		body   string
		length int64
		fields []string
	}{
		"clean":         {"GET", 200, "Hello", 5, []string{"Content-Type: text/html"}},
		"clean gzip":    {"GET", 200, zipped("Hello"), -1, []string{"Content-Type: text/html", "Content-Encoding: gzip"}},
		"beyond":        {"GET", 200, large, int64(len(large)), []string{"Content-Type: text/html"}},
		"beyond stream": {"GET", 200, large, -1, []string{"Content-Type: text/html"}},
		"no gzip":       {"GET", 200, leak, -1, []string{"Content-Type: text/html", "Content-Encoding: gzip"}},
		"zstd":          {"GET", 200, leak, -1, []string{"Content-Type: text/html", "Content-Encoding: zstd"}},
		"other type":    {"GET", 200, leak, -1, []string{"Content-Type: image/png"}},
		"events":        {"GET", 200, leak, -1, []string{"Content-Type: text/event-stream"}},
		"gRPC":          {"GET", 200, leak, -1, []string{"Content-Type: application/grpc"}},
		"HEAD":          {"HEAD", 200, "", 500, []string{"Content-Type: text/html"}},
		"no content":    {"GET", 204, "", 0, nil},
		"not modified":  {"GET", 304, "", 0, []string{"Content-Type: text/html"}},
	} {
		r := get("/")
		r.Method = tt.method
		ex := answered(t, e, r, tt.status, tt.body, tt.length, tt.fields...)
		if body := bodyOf(ex); ex.Response.Status != tt.status || body != tt.body || ex.Response.ContentLength != tt.length || !ex.Response.Header.Has("X-Of-Service") {
			t.Errorf("%s: %d, %d bytes of %d: %+v", name, ex.Response.Status, len(body), len(tt.body), ex.Rejection)
		}
	}
}

func TestWhatOfAnAnswerLiesBeyondTheLimitIsRefusedWhereThatIsAsked(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true, "max_bytes": 2000, "beyond": "refuse", "content_types": ["Text/HTML", "application/*+json"]}}`)
	large := strings.Repeat("a", 2001)
	for name, tt := range map[string]struct {
		body, kind, coding string
		want               int
	}{
		"beyond": {large, "text/html", "", 502}, "within": {large[1:], "text/html", "", 200}, "no gzip": {"x", "text/html", "gzip", 502}, "zstd": {"x", "text/html", "zstd", 502},
		"by a pattern": {large, "application/problem+json", "", 502}, "type isn't asked for": {large, "text/plain", "", 200}, "isn't of the pattern": {large, "application/json", "", 200},
	} {
		fields := []string{"Content-Type: " + tt.kind}
		if tt.coding != "" {
			fields = append(fields, "Content-Encoding: "+tt.coding)
		}
		if ex := answered(t, e, get("/"), 200, tt.body, -1, fields...); ex.Response.Status != tt.want {
			t.Errorf("%s: %d", name, ex.Response.Status)
		}
	}
}

func TestAnAnswerThatBreaksOffIsTheServicesFault(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true}}`)
	ex := e.Exchange(get("/"))
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		t.Fatal(err)
	}
	if refused := route.Stages.Run(ex); refused != nil {
		t.Fatal(refused)
	}
	ex.Response.Status, ex.Response.ContentLength = 200, 100
	ex.Response.Header.Add("Content-Type", "text/html")
	ex.Response.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))
	_ = route.Stages.Respond(ex)
	if ex.Response.Status != 502 || ex.Verdict != problem.UpstreamUnreachable {
		t.Errorf("%d %s", ex.Response.Status, ex.Verdict)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }

func TestInspectionsThatAreKeptEndWithTheirExchange(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true}}`)
	for range 3 { // the client leaves before there is an answer
		ex := e.Exchange(get("/"))
		route, err := e.Holder.Load().Route(ex)
		if err != nil {
			t.Fatal(err)
		}
		if refused := route.Stages.Run(ex); refused != nil {
			t.Fatal(refused)
		}
		route.Stages.Finish(ex)
		ex.Reset()
	}
	ex := e.Do(get(injected))
	if ex.Verdict != problem.WafBlocked {
		t.Error(ex.Verdict)
	}
}
