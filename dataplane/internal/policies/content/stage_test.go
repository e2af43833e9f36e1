package content_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/content"
	"github.com/sallyport/sallyport/proto/problem"
)

func edge(t testing.TB, mode, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, content.Binding)
	e.Configure(t, fmt.Sprintf(`{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [{"name": "content", "kind": "content", "mode": %q, "config": %s, "attached_to": [{"environment": true}]}]}`, mode, config))
	return e
}

// send runs a POST whose length is stated, and one whose isn't.
func send(t testing.TB, e *edgetest.Edge, body string, fields ...string) *pipeline.Exchange {
	t.Helper()
	var exchanges [2]*pipeline.Exchange
	for i, length := range []int64{int64(len(body)), -1} {
		r := edgetest.Get("/x", fields...)
		r.Method = "POST"
		ex := e.Exchange(r)
		ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), length
		e.Run(ex)
		exchanges[i] = ex
	}
	if exchanges[0].Verdict != exchanges[1].Verdict && body != "" {
		t.Errorf("%.40q with its length is %s, without %s", body, exchanges[0].Verdict, exchanges[1].Verdict)
	}
	return exchanges[1]
}

const (
	png   = "\x89PNG\r\n\x1a\n0000"
	parts = "Content-Type: multipart/form-data; boundary=b"
)

func pack(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func part(fields, text string) string {
	return "--b\r\nContent-Disposition: form-data; " + fields + "\r\n\r\n" + text + "\r\n"
}

func TestABodyIsWhatItsContentTypeSays(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{}`)
	const refused, unsupported = problem.BodyRefused, problem.UnsupportedMediaType
	for _, tt := range []struct {
		media, body string
		want        problem.Code
		reason      string
	}{
		{"application/json", `{"a":1}`, pipeline.Allowed, ""},
		{"application/json", `<a/>`, refused, "json_syntax"},
		{"application/json; charset=utf-7", `{}`, refused, "charset"},
		{"application/ld+json", `{`, refused, "json_syntax"},
		{"application/xml", `<a/>`, pipeline.Allowed, ""},
		{"image/svg+xml", `<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>`, refused, "xml_doctype"},
		{"text/xml", strings.Repeat("<a>", 33) + strings.Repeat("</a>", 33), refused, "max_xml_depth"},
		{"text/xml; charset=iso-8859-1", `<a/>`, refused, "charset"},
		{"application/x-www-form-urlencoded", "a=1&b=%c3%a9", pipeline.Allowed, ""},
		{"application/x-www-form-urlencoded", "a=%zz", refused, "form_escape"},
		{"application/x-www-form-urlencoded; charset=shift_jis", "a=1", refused, "charset"},
		{"text/plain", "hällo", pipeline.Allowed, ""},
		{"text/plain", "h\xe4llo", refused, "text_utf8"},
		{"text/plain", "a\x00", refused, "text_utf8"},
		{"text/plain; charset=utf-16", "a", refused, "charset"},
		{"image/png", png, pipeline.Allowed, ""},
		{"image/png", "\xff\xd8\xff", refused, "type_mismatch"},
		{"image/jpeg", "<?php", refused, "type_mismatch"},
		{"application/pdf", "%PDF-1.7", pipeline.Allowed, ""},
		{"image/webp", "RIFF0000WEBP", pipeline.Allowed, ""},
		{"image/webp", "RIFF", refused, "type_mismatch"},
		{"application/octet-stream", "anything", unsupported, "allow_unknown"},
		{"application/x-unheard-of", "anything", unsupported, "allow_unknown"},
		{"application/grpc", "anything", unsupported, "allow_unknown"},
		{"nothing", "anything", unsupported, "content_type"},
		{"text/plain; charset=utf-8; charset=utf-7", "a", unsupported, "content_type"},
	} {
		ex := send(t, e, tt.body, "Content-Type: "+tt.media)
		if ex.Verdict != tt.want || ex.Rejection != nil && ex.Rejection.Reason != tt.reason {
			t.Errorf("%.40q as %s: %s, %+v", tt.body, tt.media, ex.Verdict, ex.Rejection)
		}
		if tt.want != pipeline.Allowed && (len(ex.Findings) != 1 || ex.Findings[0].Rule != tt.reason || ex.Rejection.Detail == "") {
			t.Errorf("%.40q as %s: operators are told %+v", tt.body, tt.media, ex.Findings)
		}
	}
	if ex := send(t, e, "{}"); ex.Verdict != unsupported || ex.Rejection.Reason != "allow_untyped" {
		t.Errorf("without a type: %s", ex.Verdict)
	}
	if ex := send(t, e, "{}", "Content-Type: application/json", "Content-Type: application/json"); ex.Verdict != unsupported {
		t.Errorf("with two types: %s", ex.Verdict)
	}
	if ex := e.Do(edgetest.Get("/x", "Content-Type: nothing")); ex.Verdict != pipeline.Allowed {
		t.Errorf("without a body: %s", ex.Verdict)
	}
}

func TestMultipartIsHeldToItsBoundsAndItsPartsToTheirTypes(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"multipart": {"max_parts": 3, "max_files": 1, "extensions": ["png", "txt"]}}`)
	for _, tt := range []struct {
		body   string
		reason string
	}{
		{part(`name="a"`, "1") + part(`name="f"; filename="x.PNG"`+"\r\nContent-Type: image/png", png), ""},
		{part(`name="f"; filename=""`+"\r\nContent-Type: application/octet-stream", ""), ""},
		{part(`name="a"`, "1") + part(`name="a"`, "1") + part(`name="a"`, "1") + part(`name="a"`, "1"), "max_parts"},
		{part(`name="f"; filename="a.txt"`, "1") + part(`name="f"; filename="b.txt"`, "1"), "max_files"},
		{part(`name="f"; filename="x.php"`+"\r\nContent-Type: image/png", png), "extensions"},
		{part(`name="f"; filename="x"`+"\r\nContent-Type: image/png", png), "extensions"},
		{part(`name="f"; filename="x.png"`+"\r\nContent-Type: image/png", "<?php"), "type_mismatch"},
		{part(`name="f"; filename="x.txt"`+"\r\nContent-Type: application/octet-stream", "1"), "allow_unknown"},
		{part(`name="j"`+"\r\nContent-Type: application/json", "{"), "json_syntax"},
		{part(`name="j"`+"\r\nContent-Type: application/xml", "<!DOCTYPE a><a/>"), "xml_doctype"},
		{part(`name="j"`+"\r\nContent-Type: application/x-www-form-urlencoded", "%"), "form_escape"},
		{part(`name="m"`+"\r\nContent-Type: multipart/mixed; boundary=c", "--c--"), "multipart_nested"},
	} {
		ex := send(t, e, tt.body+"--b--\r\n", parts)
		switch {
		case tt.reason == "" && ex.Verdict != pipeline.Allowed:
			t.Errorf("%q: %+v", tt.body, ex.Rejection)
		case tt.reason != "" && (ex.Verdict != problem.BodyRefused || ex.Rejection.Reason != tt.reason):
			t.Errorf("%q: %s, %+v", tt.body, ex.Verdict, ex.Rejection)
		}
	}
	if ex := send(t, e, "--b--\r\n", parts+"; charset=utf-8"); ex.Verdict != problem.BodyRefused || ex.Rejection.Reason != "multipart_boundary" {
		t.Errorf("beside the boundary there is a charset: %s", ex.Verdict)
	}
}

func TestContentCodingsAreThoseThatAreTaken(t *testing.T) {
	t.Parallel()
	const isJSON = "Content-Type: application/json"
	usual, plain := edge(t, "enforce", `{"max_bytes": 100000, "max_ratio": 10}`), edge(t, "enforce", `{"codings": ["identity"]}`)
	for _, tt := range []struct {
		edge        *edgetest.Edge
		body, coded string
		want        problem.Code
	}{
		{usual, pack(`{"a":1}`), "gzip", pipeline.Allowed},
		{usual, pack(`{"a":`), "gzip", problem.BodyRefused},
		{usual, pack(strings.Repeat(" ", 90_000)), "gzip", problem.BodyRefused},
		{usual, `{}`, "deflate", problem.UnsupportedMediaType},
		{usual, `{}`, "zstd", problem.UnsupportedMediaType},
		{usual, `{}`, "gzip, gzip, gzip", problem.UnsupportedMediaType},
		{usual, `{}`, "identity", pipeline.Allowed},
		{plain, pack(`{}`), "gzip", problem.UnsupportedMediaType},
		{plain, `{}`, "", pipeline.Allowed},
	} {
		ex := send(t, tt.edge, tt.body, isJSON, "Content-Encoding: "+tt.coded)
		if ex.Verdict != tt.want {
			t.Errorf("%.20q in %q: %s, %+v", tt.body, tt.coded, ex.Verdict, ex.Rejection)
		}
	}
	if ex := send(t, usual, "["+strings.Repeat("0,", 60_000)+"0]", isJSON); ex.Verdict != problem.BodyTooLarge || ex.Response.Status != 413 {
		t.Errorf("what is too large: %s", ex.Verdict)
	}
}

func TestWhatIsAllowedIsNotEvenRead(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"allow_unknown": true, "allow_untyped": true, "max_bytes": 1}`)
	for _, fields := range [][]string{nil, {"Content-Type: application/grpc"}, {"Content-Type: application/octet-stream", "Content-Encoding: zstd"}} {
		ex := send(t, e, "0123456789", fields...)
		if ex.Verdict != pipeline.Allowed {
			t.Errorf("%q: %+v", fields, ex.Rejection)
		}
		if _, untouched := ex.Request.Body.(*strings.Reader); !untouched {
			t.Errorf("%q: it was read", fields)
		}
	}
	listed := edge(t, "enforce", `{"types": ["application/json", "image/*"]}`)
	for media, want := range map[string]problem.Code{"image/png": pipeline.Allowed, "text/plain": problem.UnsupportedMediaType} {
		if ex := send(t, listed, png, "Content-Type: "+media); ex.Verdict != want {
			t.Errorf("%s: %s", media, ex.Verdict)
		}
	}
}

func TestInShadowTheBodyGoesOn(t *testing.T) {
	t.Parallel()
	e := edge(t, "shadow", `{}`)
	ex := send(t, e, "{", "Content-Type: application/json")
	if ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != problem.BodyRefused || len(ex.Findings) != 1 {
		t.Errorf("%s, in shadow %q", ex.Verdict, ex.ShadowVerdict)
	}
	if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != "{" {
		t.Errorf("it goes on as %q, %v", got, err)
	}
}
