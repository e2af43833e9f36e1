package openapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/openapi"
	"github.com/sallyport/sallyport/proto/problem"
)

const shop = `
openapi: 3.1.0
info: {title: shop, version: "1"}
servers: [{url: https://shop.example/v1}]
paths:
  /orders:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses:
        "200": {description: orders, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Order"}}}}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Order"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Order"}}
          multipart/form-data: {schema: {$ref: "#/components/schemas/Order"}}
      responses: {"201": {description: made}}
components:
  schemas:
    Order:
      type: object
      required: [item, count]
      properties: {item: {type: string, maxLength: 5}, count: {type: integer, minimum: 1}, notes: {type: object, additionalProperties: {type: string}}}
`

func edge(t testing.TB, mode, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, openapi.Binding)
	document, err := json.Marshal(shop)
	if err != nil {
		t.Fatal(err)
	}
	e.Configure(t, fmt.Sprintf(`{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"api-descriptions": [{"name": "shop", "document": %s}],
		"policies": [{"name": "api", "kind": "openapi", "mode": %q, "config": %s, "attached_to": [{"route": "r"}]}]}`, document, mode, config))
	return e
}

func post(e *edgetest.Edge, contentType, body string, fields ...string) *pipeline.Exchange {
	r := edgetest.Get("/v1/orders", append([]string{"Content-Type: " + contentType}, fields...)...)
	r.Method = "POST"
	ex := e.Exchange(r)
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), int64(len(body))
	return ex
}

func places(r *pipeline.Rejection) []string {
	if r == nil {
		return nil
	}
	var all []string
	for _, v := range r.Violations {
		all = append(all, strings.TrimSpace(v.Pointer+" "+v.Code))
	}
	slices.Sort(all)
	return all
}

func TestABodyThatBreaksItsSchemaIsRefusedWithEachPlace(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop"}`)
	const multipart = "--x\r\nContent-Disposition: form-data; name=\"item\"\r\n\r\npen\r\n--x\r\nContent-Disposition: form-data; name=\"count\"\r\n\r\n%s\r\n--x--\r\n"
	for name, tt := range map[string]struct {
		contentType, body string
		want              []string // none: it passes
	}{
		"JSON that holds":      {"application/json", `{"item":"pen","count":2,"notes":{"a":"b"}}`, nil},
		"with escapes":         {"application/json", `{"\u0069tem":"p\u0065n","count":1}`, nil},
		"JSON that doesn't":    {"application/json", `{"item":"pencil","count":0,"notes":{"a":1}}`, []string{"/count out_of_range", "/item too_long", "/notes/a wrong_type"}},
		"of another kind":      {"application/json", `[]`, []string{"wrong_type"}},
		"what isn't JSON":      {"application/json", `{"item":`, []string{"/item invalid_format"}},
		"nothing":              {"application/json", ``, []string{"body required"}},
		"another content type": {"text/plain", `x`, []string{"header.Content-Type invalid_value"}},
		"a form that holds":    {"application/x-www-form-urlencoded", `item=pen&count=2`, nil},
		"a form that doesn't":  {"application/x-www-form-urlencoded", `item=pen&count=0`, []string{"/count out_of_range"}},
		"parts that hold":      {"multipart/form-data; boundary=x", fmt.Sprintf(multipart, "3"), nil},
		"parts that don't":     {"multipart/form-data; boundary=x", fmt.Sprintf(multipart, "many"), []string{"/count wrong_type"}},
		"no boundary":          {"multipart/form-data", fmt.Sprintf(multipart, "3"), []string{"invalid_format"}},
	} {
		ex := post(e, tt.contentType, tt.body)
		e.Run(ex)
		if got := places(ex.Rejection); !slices.Equal(got, tt.want) {
			t.Errorf("%s: refused for %q, want %q", name, got, tt.want)
		}
		if ex.Rejection != nil && (ex.Verdict != problem.SchemaBroken || len(ex.Findings) == 0) {
			t.Errorf("%s: verdict %q with %d findings", name, ex.Verdict, len(ex.Findings))
		}
		if ex.Rejection == nil {
			if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != tt.body {
				t.Errorf("%s: the service gets %q, %v", name, got, err)
			}
		}
	}
}

func TestABodyOfUnknownLengthIsHeldAgainstItsSchema(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop"}`)
	ex := post(e, "application/json", "")
	ex.Request.Body, ex.Request.ContentLength = iotest.OneByteReader(strings.NewReader(`{"item":"pen"}`)), -1
	e.Run(ex)
	if got := places(ex.Rejection); !slices.Equal(got, []string{"/count required"}) {
		t.Errorf("refused for %q", got)
	}
	empty := post(e, "application/json", "")
	empty.Request.ContentLength = -1
	e.Run(empty)
	if got := places(empty.Rejection); !slices.Equal(got, []string{"body required"}) {
		t.Errorf("an empty one is refused for %q", got)
	}
}

func TestContentCodingsAreUndoneWithinBounds(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop", "max_body_bytes": 10000}`)
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"holds":      {zip(`{"item":"pen","count":1}`), nil},
		"breaks":     {zip(`{"item":"pen","count":0}`), []string{"/count out_of_range"}},
		"a bomb":     {zip(strings.Repeat(" ", 1<<20)), []string{"invalid_value"}},
		"isn't gzip": {`{"item":"pen","count":1}`, []string{"invalid_value"}},
		"too large":  {strings.Repeat(" ", 10_001), []string{"body too_long"}},
	} {
		ex := post(e, "application/json", tt.body, "Content-Encoding: gzip")
		e.Run(ex)
		got := places(ex.Rejection)
		if name == "a bomb" && slices.Equal(got, []string{"body too_long"}) {
			continue // whichever bound it meets first
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: refused for %q, want %q", name, got, tt.want)
		}
	}
}

func TestWhatIsNotDescribedIsRefusedNotedOrLetPass(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[string][2]problem.Code{
		"refuse": {problem.EndpointUndocumented, ""}, "note": {pipeline.Allowed, problem.EndpointUndocumented}, "pass": {pipeline.Allowed, ""},
	} {
		e := edge(t, "enforce", `{"description": "shop", "undocumented": "`+verdict+`"}`)
		for _, target := range []string{"/v1/customers", "/orders", "/v1orders", "/v1/orders/", "/"} {
			if ex := e.Do(edgetest.Get(target)); ex.Verdict != want[0] || ex.ShadowVerdict != want[1] {
				t.Errorf("%s %s: %q, in shadow %q", verdict, target, ex.Verdict, ex.ShadowVerdict)
			}
		}
		remove := edgetest.Get("/v1/orders")
		remove.Method = "DELETE"
		if ex := e.Do(remove); ex.Verdict != want[0] || ex.ShadowVerdict != want[1] {
			t.Errorf("%s DELETE: %q, in shadow %q", verdict, ex.Verdict, ex.ShadowVerdict)
		}
		if ex := e.Do(edgetest.Get("/v1/orders?limit=5")); ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != "" {
			t.Errorf("%s what is described: %q, in shadow %q", verdict, ex.Verdict, ex.ShadowVerdict)
		}
	}
}

func TestWhatBreaksTheDescriptionIsNotedWithItsPlaces(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop", "requests": "note"}`)
	ex := post(e, "application/json", `{"item":"pen","count":1,"notes":{"secret-4711":1}}`)
	e.Run(ex)
	if ex.Rejection != nil || ex.ShadowVerdict != problem.SchemaBroken || len(ex.Findings) != 1 || ex.Findings[0].Target != "/notes/*" {
		t.Errorf("refused %v, in shadow %q, found %+v", ex.Rejection, ex.ShadowVerdict, ex.Findings)
	}
}

func TestOtherPathsStandInFrontWhereAPolicySaysSo(t *testing.T) {
	t.Parallel()
	for base, target := range map[string]string{`"/"`: "/orders?limit=1", `"/a/b"`: "/a/b/orders?limit=1"} {
		e := edge(t, "enforce", `{"description": "shop", "base_path": `+base+`, "undocumented": "refuse"}`)
		if ex := e.Do(edgetest.Get(target)); ex.Verdict != pipeline.Allowed {
			t.Errorf("%s: %s is answered %q", base, target, ex.Verdict)
		}
		if ex := e.Do(edgetest.Get("/v1/orders")); ex.Verdict != problem.EndpointUndocumented {
			t.Errorf("%s: /v1/orders is answered %q", base, ex.Verdict)
		}
	}
}

func TestAQueryHoldsToItsDescription(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop", "allow_unknown_parameters": false}`)
	for query, want := range map[string][]string{
		"limit=5": nil, "limit=500": {"query.limit out_of_range"}, "limit=a&b=1": {"query.b unknown_parameter", "query.limit wrong_type"},
	} {
		if ex := e.Do(edgetest.Get("/v1/orders?" + query)); !slices.Equal(places(ex.Rejection), want) {
			t.Errorf("%s: refused for %q, want %q", query, places(ex.Rejection), want)
		}
	}
}

// answered runs a request and has its answer read to the end, as a listener does.
func answered(t *testing.T, e *edgetest.Edge, status int, contentType, body string, length int64) *pipeline.Exchange {
	t.Helper()
	ex := e.Exchange(edgetest.Get("/v1/orders"))
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		t.Fatal(err)
	}
	if r := route.Stages.Run(ex); r != nil {
		t.Fatal(r)
	}
	ex.Response.Status, ex.UpstreamStatus = status, status
	ex.Response.Header.Set("Content-Type", contentType)
	ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader(body)), length
	if r := route.Stages.Respond(ex); r != nil {
		t.Fatal(r)
	}
	if got, err := io.ReadAll(ex.Response.Body); err != nil || string(got) != body {
		t.Fatalf("the client gets %q, %v", got, err)
	}
	if err := ex.Response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	route.Stages.Finish(ex)
	return ex
}

func TestAnswersAreHeldAgainstTheDescriptionWhileTheyPass(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"enforce", "shadow"} {
		e := edge(t, mode, `{"description": "shop", "answers": "note", "max_body_bytes": 100}`)
		for name, tt := range map[string]struct {
			status            int
			contentType, body string
			length            int64
			want              []string
		}{
			"holds":              {200, "application/json", `[{"item":"pen","count":1}]`, -1, nil},
			"breaks":             {200, "application/json", `[{"item":"pen","count":0}]`, -1, []string{"/0/count"}},
			"of a stated length": {200, "application/json", `[{"item":"pen"}]`, 16, []string{"/0/count"}},
			"isn't JSON":         {200, "application/json", `[`, -1, []string{"body"}},
			"another type":       {200, "text/html", `<p>`, -1, []string{"header.Content-Type"}},
			"another status":     {500, "text/html", `<p>`, -1, []string{"status"}},
			"too large to hold":  {200, "application/json", `[` + strings.Repeat(" ", 200) + `1]`, -1, nil},
		} {
			ex := answered(t, e, tt.status, tt.contentType, tt.body, tt.length)
			var got []string
			for _, f := range ex.Findings {
				got = append(got, f.Target)
				if !f.InAnswer {
					t.Errorf("%s: found in the request: %+v", name, f)
				}
			}
			if !slices.Equal(got, tt.want) || (ex.ShadowVerdict == problem.AnswerSchemaBroken) != (tt.want != nil) {
				t.Errorf("%s, %s: found at %q, in shadow %q; want %q", mode, name, got, ex.ShadowVerdict, tt.want)
			}
		}
	}
}

func TestAPolicyWithoutItsDescriptionFailsClosed(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop"}`)
	e.Configure(t, `{"api-descriptions": [{"name": "shop", "gone": true}]}`)
	if ex := e.Do(edgetest.Get("/v1/orders")); ex.Verdict != problem.PolicyFailed {
		t.Errorf("answered %q", ex.Verdict)
	}
}

func TestADescriptionIsCompiledOnceOverPoliciesAndRevisions(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop"}`)
	document, err := json.Marshal(shop)
	if err != nil {
		t.Fatal(err)
	}
	before := e.Env.Parts()
	e.Configure(t, fmt.Sprintf(`{"api-descriptions": [{"name": "again", "description": "the same", "document": %s}]}`, document))
	if after := e.Env.Parts(); after != before {
		t.Errorf("%d parts became %d: the same document is compiled twice", before, after)
	}
	if errs := e.Try(t, `{"api-descriptions": [{"name": "again", "document": "openapi: 3.1.0\ninfo: {}\npaths: {/a/../b: {}}"}]}`); len(errs) == 0 {
		t.Error("a broken description is taken")
	}
}

func TestADryRunHasNoBody(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"description": "shop"}`)
	ex := post(e, "application/json", "")
	ex.Dry = true
	e.Run(ex)
	if ex.Rejection != nil {
		t.Errorf("refused: %v", ex.Rejection)
	}
}

func BenchmarkABody(b *testing.B) {
	e := edge(b, "enforce", `{"description": "shop"}`)
	for _, size := range []int{1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			body := `{"item":"pen","count":1,"notes":{"a":"b"` + strings.Repeat(`,"some":"note or other"`, size/23) + `}}`
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				ex := post(e, "application/json", body)
				e.Run(ex)
				if ex.Rejection != nil {
					b.Fatal(ex.Rejection)
				}
			}
		})
	}
}
