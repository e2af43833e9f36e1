package requestlimits_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/requestlimits"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func edge(t testing.TB, mode string, configs ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, requestlimits.Binding)
	var policies []string
	for i, config := range configs {
		at := []string{`{"environment": true}`, `{"service": "s"}`, `{"route": "r"}`}[i%3]
		policies = append(policies, fmt.Sprintf(`{"name": "limits-%d", "kind": "request-limits", "mode": %q, "config": %s, "attached_to": [%s]}`, i, mode, config, at))
	}
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [`+strings.Join(policies, ",")+`]}`)
	return e
}

// post returns an exchange with a body; length -1: it isn't stated.
func post(e *edgetest.Edge, body string, length int64, fields ...string) *pipeline.Exchange {
	r := edgetest.Get("/x", fields...)
	r.Method = "POST"
	ex := e.Exchange(r)
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), length
	return ex
}

func verdict(e *edgetest.Edge, ex *pipeline.Exchange) problem.Code {
	e.Run(ex)
	return ex.Verdict
}

func TestEachBoundHoldsExactly(t *testing.T) {
	for _, tt := range []struct {
		name, config string
		passes       edgetest.Request
		refused      edgetest.Request
		code         problem.Code
		status       int
	}{
		{"method", `{"methods": ["GET", "POST"]}`, edgetest.Request{Method: "POST"}, edgetest.Request{Method: "PUT"}, problem.MethodNotAllowed, 405},
		{"HEAD isn't GET", `{"methods": ["GET"]}`, edgetest.Request{Method: "GET"}, edgetest.Request{Method: "HEAD"}, problem.MethodNotAllowed, 405},
		{"methods have a case", `{"methods": ["GET"]}`, edgetest.Request{Method: "GET"}, edgetest.Request{Method: "get"}, problem.MethodNotAllowed, 405},
		{"target", `{"max_target_bytes": 8}`, edgetest.Get("/123?567"), edgetest.Get("/123?5678"), problem.TargetTooLong, 414},
		{"path", `{"max_target_bytes": 8}`, edgetest.Get("/1234567"), edgetest.Get("/12345678"), problem.TargetTooLong, 414},
		{"query", `{"max_query_bytes": 3}`, edgetest.Get("/?a=1"), edgetest.Get("/?a=12"), problem.TargetTooLong, 414},
		{"no query", `{"max_query_bytes": 0}`, edgetest.Get("/"), edgetest.Get("/?a"), problem.TargetTooLong, 414},
		{"parameters", `{"max_query_parameters": 2}`, edgetest.Get("/?a&&b=&"), edgetest.Get("/?a&b&=c"), problem.TargetTooLong, 414},
		{"fields", `{"max_headers": 2}`, edgetest.Get("/", "A: 1", "A: 2"), edgetest.Get("/", "A: 1", "A: 2", "B: "), problem.HeadersTooLarge, 431},
		{
			"bytes of fields", `{"max_header_bytes": 256}`,
			edgetest.Get("/", "A: "+strings.Repeat("a", 246), "B: "), edgetest.Get("/", "A: "+strings.Repeat("a", 247), "B: "), problem.HeadersTooLarge, 431,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := edge(t, "enforce", tt.config)
			if ex := e.Do(tt.passes); ex.Verdict != pipeline.Allowed {
				t.Errorf("what is just within is answered %s (%s)", ex.Verdict, ex.Rejection.Reason)
			}
			ex := e.Do(tt.refused)
			if ex.Verdict != tt.code || ex.Response.Status != tt.status {
				t.Errorf("what is just beyond is answered %s %d", ex.Verdict, ex.Response.Status)
			}
			if tt.status == 405 && ex.Response.Header.Get("Allow") == "" {
				t.Error("the methods that are allowed aren't told")
			}
		})
	}
}

func TestABodyThatSaysThatItIsTooLongIsRefusedBeforeItIsRead(t *testing.T) {
	e := edge(t, "enforce", `{"max_body_bytes": 5}`)
	if code := verdict(e, post(e, "12345", 5)); code != pipeline.Allowed {
		t.Errorf("what fits is answered %s", code)
	}
	ex := post(e, "", 6)
	ex.Request.Body = iotest.ErrReader(errors.New("the body was read"))
	if code := verdict(e, ex); code != problem.BodyTooLarge || ex.Response.Status != 413 {
		t.Errorf("%s %d", code, ex.Response.Status)
	}
	none := edge(t, "enforce", `{"max_body_bytes": 0}`)
	if verdict(none, post(none, "", 0)) != pipeline.Allowed || verdict(none, post(none, "1", 1)) != problem.BodyTooLarge {
		t.Error("no body isn't exactly what passes where none may be")
	}
}

func TestABodyOfUnknownLengthPassesUpToTheLimitAndNotAByteFurther(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "half": iotest.HalfReader, "end with the data": iotest.DataErrReader,
	}
	for name, reader := range readers {
		for limit := range 7 {
			for length := range 9 {
				e := edge(t, "enforce", fmt.Sprintf(`{"max_body_bytes": %d}`, limit))
				ex := post(e, strings.Repeat("x", length), -1)
				ex.Request.Body = reader(ex.Request.Body)
				if code := verdict(e, ex); code != pipeline.Allowed {
					t.Fatalf("the head is answered %s", code)
				}
				got, err := io.ReadAll(ex.Request.Body)
				var refused *pipeline.Rejection
				over := errors.As(err, &refused)
				if len(got) != min(limit, length) || over != (length > limit) || err != nil && !over {
					t.Fatalf("%s, limit %d, length %d: %d bytes pass, %v", name, limit, length, len(got), err)
				}
				if over && (refused.Code != problem.BodyTooLarge || refused.Policy != "limits-0") {
					t.Fatalf("refused as %s by %q", refused.Code, refused.Policy)
				}
				if _, again := ex.Request.Body.Read(make([]byte, 9)); over && !errors.As(again, &refused) {
					t.Fatalf("read again: %v", again)
				}
			}
		}
	}
}

func TestTheStrictestOfSeveralPoliciesHolds(t *testing.T) {
	e := edge(t, "enforce", `{"max_body_bytes": 9}`, `{"max_body_bytes": 3}`, `{"max_body_bytes": 6, "methods": ["POST"]}`)
	if code := verdict(e, post(e, "1234", 4)); code != problem.BodyTooLarge {
		t.Errorf("a stated length: %s", code)
	}
	ex := post(e, "123456789", -1)
	e.Run(ex)
	got, err := io.ReadAll(ex.Request.Body)
	var refused *pipeline.Rejection
	if string(got) != "123" || !errors.As(err, &refused) || refused.Policy != "limits-1" {
		t.Errorf("%q passes, %v", got, err)
	}
}

func TestContentTypesAreComparedAsMediaTypes(t *testing.T) {
	e := edge(t, "enforce", `{"content_types": ["application/json", "image/*", "*/*+json", "application/*+xml"]}`)
	for _, text := range []string{
		"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x=\"a,b\"", "image/png", "application/ld+json",
		"text/x+JSON", "application/soap+xml",
	} {
		if code := verdict(e, post(e, "x", 1, "Content-Type: "+text)); code != pipeline.Allowed {
			t.Errorf("%s is answered %s", text, code)
		}
	}
	for _, text := range []string{
		"", "json", "application/", "/json", "application", "text/plain", "application/jsonx", "application/json, text/plain", "application/json\x00", "text/+json",
		"text/soap+xml", "application/xml", "; application/json", "application /json", "application/json/x", "image/", "*/*", "image/*", "text/x; y=+json",
	} {
		ex := post(e, "x", 1, "Content-Type: "+text)
		if code := verdict(e, ex); code != problem.UnsupportedMediaType || ex.Response.Status != 415 {
			t.Errorf("%q is answered %s %d", text, code, ex.Response.Status)
		}
	}
	if code := verdict(e, post(e, "x", -1)); code != problem.UnsupportedMediaType {
		t.Errorf("a body without type is answered %s", code)
	}
	if code := verdict(e, post(e, "x", 1, "Content-Type: application/json", "content-type: application/json")); code != problem.UnsupportedMediaType {
		t.Errorf("two types are answered %s", code)
	}
	if code := verdict(e, post(e, "", 0)); code != pipeline.Allowed {
		t.Errorf("no body is answered %s", code)
	}
	demand := edge(t, "enforce", `{"require_content_type": true}`)
	if verdict(demand, post(demand, "x", 1, "Content-Type: text/plain")) != pipeline.Allowed || verdict(demand, post(demand, "x", 1)) != problem.UnsupportedMediaType ||
		verdict(demand, post(demand, "x", 1, "Content-Type: x")) != problem.UnsupportedMediaType {
		t.Error("any type isn't exactly what is demanded")
	}
}

func TestInShadowNothingIsCutOffAndAllIsCounted(t *testing.T) {
	e := edge(t, "shadow", `{"max_body_bytes": 3}`)
	stated := post(e, "12345", 5)
	if code := verdict(e, stated); code != pipeline.Allowed || stated.ShadowVerdict != problem.BodyTooLarge {
		t.Errorf("%s, in shadow %q", code, stated.ShadowVerdict)
	}
	streamed := post(e, "12345", -1)
	e.Run(streamed)
	if got, err := io.ReadAll(streamed.Request.Body); string(got) != "12345" || err != nil {
		t.Errorf("%q passes, %v", got, err)
	}
	streamed.Request.BodyBytes = 3 // as a listener counts
	if streamed.Settle(); streamed.ShadowVerdict != "" {
		t.Errorf("what fits counts as %s", streamed.ShadowVerdict)
	}
	streamed.Request.BodyBytes = 5
	streamed.Settle()
	if streamed.ShadowVerdict != problem.BodyTooLarge || e.Count("request-limits", pipeline.Shadow, problem.BodyTooLarge) != 2 {
		t.Errorf("what streamed counts as %q", streamed.ShadowVerdict)
	}
	off := edge(t, "off", `{"max_body_bytes": 3}`)
	if code := verdict(off, post(off, "12345", 5)); code != pipeline.Allowed {
		t.Errorf("off: %s", code)
	}
}

func TestWhatTheContractRefusesIsNotCompiled(t *testing.T) {
	if _, err := requestlimits.Binding.Compile(pipeline.Env{}, &policyv1.RequestLimits{ContentTypes: []string{"*/*"}}); err == nil {
		t.Error("compiled")
	}
}

func TestWhatPassesDoesNotAllocate(t *testing.T) {
	e := edge(t, "enforce", `{"methods": ["POST"], "max_body_bytes": 9, "max_header_bytes": 4096, "max_headers": 30, "max_target_bytes": 99, "max_query_bytes": 50,
		"max_query_parameters": 3, "content_types": ["image/*", "*/*+json"]}`)
	ex := post(e, "12345", 5, "Content-Type: application/ld+json; x=y", "Accept: */*")
	ex.Request.Query = "a=1&b=2"
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	if n := testing.AllocsPerRun(100, func() { failed = failed || route.Stages.Run(ex) != nil }); n != 0 || failed {
		t.Errorf("%v allocations; refused: %v", n, failed)
	}
}
