package jsonguard_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/jsonguard"
	"github.com/sallyport/sallyport/dataplane/internal/policies/requestlimits"
	"github.com/sallyport/sallyport/proto/problem"
)

func edge(t testing.TB, mode, config string, more ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, jsonguard.Binding, requestlimits.Binding)
	policies := append([]string{fmt.Sprintf(`{"name": "guard", "kind": "json-guard", "mode": %q, "config": %s, "attached_to": [{"environment": true}]}`, mode, config)}, more...)
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [`+strings.Join(policies, ",")+`]}`)
	return e
}

// send runs a POST; stated tells whether it states its length.
func send(e *edgetest.Edge, body string, stated bool, fields ...string) *pipeline.Exchange {
	r := edgetest.Get("/x", fields...)
	r.Method = "POST"
	ex := e.Exchange(r)
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), -1
	if stated {
		ex.Request.ContentLength = int64(len(body))
	}
	e.Run(ex)
	return ex
}

const isJSON = "Content-Type: application/json"

func TestEachBoundHoldsExactlyAndNamesThePlace(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config, passes, refused, pointer, rule, code string
	}{
		"depth":         {`{"max_depth": 2}`, `[{"a":1}]`, `[{"a":[]}]`, "/0/a", "max_depth", "too_many"},
		"keys":          {`{"max_keys": 2}`, `[{"a":1,"b":2}]`, `[{"a":1,"b":2,"c":3}]`, "/0", "max_keys", "too_many"},
		"entries":       {`{"max_entries": 2}`, `{"a":[1,2]}`, `{"a":[1,2,3]}`, "/a", "max_entries", "too_many"},
		"key bytes":     {`{"max_key_bytes": 2}`, `{"\u00fc":1}`, `{"abc":1}`, "/abc", "max_key_bytes", "too_long"},
		"text bytes":    {`{"max_text_bytes": 2}`, `["\n\n"]`, `["\u00fc\n"]`, "/0", "max_text_bytes", "too_long"},
		"values":        {`{"max_values": 3}`, `[1,2]`, `[1,2,3]`, "", "max_values", "too_many"},
		"duplicates":    {`{}`, `{"a":{"a":1},"b":1}`, `{"a":1,"\u0061":2}`, "/a", "duplicate_key", "duplicate_field"},
		"__proto__":     {`{}`, `{"proto":1,"prototype":2,"constructor":3}`, `{"x":{"__prot\u006f__":1}}`, "/x/__proto__", "prototype_key", "invalid_value"},
		"constructor":   {`{}`, `{"constructor":[{"prototype":1}]}`, `{"constructor":{"prototype":1}}`, "/constructor/prototype", "prototype_key", "invalid_value"},
		"exact":         {`{}`, `[9007199254740991,-9007199254740991,1.5e308,0.1]`, `[1,9007199254740992]`, "/1", "numbers", "out_of_range"},
		"infinite":      {`{}`, `[1e308]`, `[1e309]`, "/0", "numbers", "out_of_range"},
		"integers":      {`{"numbers": "integers"}`, `[1,-2]`, `[1,1.0]`, "/1", "numbers", "invalid_value"},
		"invalid UTF-8": {`{}`, `["ü"]`, "[\"\xff\"]", "", "json_utf8", ""},
		"syntax":        {`{}`, `{"a":[1]}`, `{"a":[1,]}`, "/a", "json_syntax", "invalid_format"},
		"a surrogate":   {`{}`, `["\ud83d\ude00"]`, `{"a":"\ud83d"}`, "/a", "json_escape", "invalid_format"},
		"trailing":      {`{}`, ` {} `, `{}{}`, "", "json_trailing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := edge(t, "enforce", tt.config)
			if ex := send(e, tt.passes, true, isJSON); ex.Verdict != pipeline.Allowed {
				t.Errorf("what is just within is answered %s (%s)", ex.Verdict, ex.Rejection.Reason)
			}
			ex := send(e, tt.refused, false, isJSON)
			if ex.Verdict != problem.JSONRefused || ex.Response.Status != 400 || ex.Rejection.Reason != tt.rule {
				t.Fatalf("what is just beyond is answered %s, %+v", ex.Verdict, ex.Rejection)
			}
			if v := ex.Rejection.Violations; tt.code != "" && (len(v) == 0 || v[0].Pointer != tt.pointer || v[0].Code != tt.code) {
				t.Errorf("the places are %+v", v)
			}
			answer, _ := io.ReadAll(ex.Response.Body)
			if tt.code != "" && !bytes.Contains(answer, []byte(`"errors":[{"pointer":`)) {
				t.Errorf("the caller isn't told where: %s", answer)
			}
			if len(ex.Findings) == 0 || ex.Findings[0].Rule != tt.rule || ex.Findings[0].Target == "" || ex.Findings[0].Part != "" {
				t.Errorf("operators are told %+v", ex.Findings)
			}
		})
	}
}

func TestWhatIsAllowedPasses(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"allow_duplicate_keys": true, "allow_prototype_keys": true, "numbers": "any"}`)
	if ex := send(e, `{"__proto__":1,"__proto__":1e999}`, true, isJSON); ex.Verdict != pipeline.Allowed {
		t.Errorf("%+v", ex.Rejection)
	}
}

func TestAllThatIsBrokenIsToldAtOnce(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"max_depth": 1, "max_text_bytes": 1}`)
	ex := send(e, `{"a":"xx","a":[1e999]}`, true, isJSON)
	if len(ex.Rejection.Violations) != 4 || len(ex.Findings) != 4 {
		t.Errorf("%+v", ex.Rejection.Violations)
	}
}

func TestOnlyJSONIsLookedAtUnlessAsked(t *testing.T) {
	t.Parallel()
	loose, strict := edge(t, "enforce", `{}`), edge(t, "enforce", `{"require_json": true}`)
	for _, tt := range []struct {
		body          string
		fields        []string
		loose, strict problem.Code
	}{
		{`{`, []string{"Content-Type: text/plain"}, pipeline.Allowed, problem.UnsupportedMediaType},
		{`{`, nil, pipeline.Allowed, problem.UnsupportedMediaType},
		{`{`, []string{"Content-Type: application/problem+JSON"}, problem.JSONRefused, problem.JSONRefused},
		{`{}`, []string{"Content-Type: application/json; charset=utf-16"}, problem.JSONRefused, problem.JSONRefused},
		{`{}`, []string{"Content-Type: application/json; charset=utf-8"}, pipeline.Allowed, pipeline.Allowed},
		{`{}`, []string{"Content-Type: text/plain", isJSON}, problem.JSONRefused, problem.UnsupportedMediaType},
		{`{}`, []string{"Content-Type: application/json, text/plain"}, problem.JSONRefused, problem.UnsupportedMediaType},
		{`{}`, []string{"Content-Type: application/json;"}, problem.JSONRefused, problem.UnsupportedMediaType},
		{``, []string{isJSON}, pipeline.Allowed, problem.JSONRefused},
	} {
		for _, stated := range []bool{true, false} {
			if ex := send(loose, tt.body, stated, tt.fields...); ex.Verdict != tt.loose {
				t.Errorf("%q of %q: %s", tt.body, tt.fields, ex.Verdict)
			}
			if ex := send(strict, tt.body, stated, tt.fields...); ex.Verdict != tt.strict && (tt.body != "" || len(tt.fields) > 0) {
				t.Errorf("%q of %q where JSON is demanded: %s", tt.body, tt.fields, ex.Verdict)
			}
		}
	}
	if ex := strict.Do(edgetest.Get("/x")); ex.Verdict != pipeline.Allowed {
		t.Errorf("a GET without a body: %s", ex.Verdict)
	}
}

func TestCodedJSONIsLookedAtAndGoesOnAsItCame(t *testing.T) {
	t.Parallel()
	pack := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.String()
	}
	e := edge(t, "enforce", `{"max_bytes": 5000}`)
	const coded = "Content-Encoding: gzip"
	raw := pack(`{"a":1}`)
	ex := send(e, raw, false, isJSON, coded)
	if ex.Verdict != pipeline.Allowed {
		t.Fatalf("%+v", ex.Rejection)
	}
	if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != raw {
		t.Errorf("the service gets %q, %v", got, err)
	}
	for body, want := range map[string]problem.Code{
		pack(`{"a":1,"a":2}`): problem.JSONRefused, pack("[" + strings.Repeat("0,", 3000) + "0]"): problem.BodyTooLarge, "{}": problem.BodyRefused, raw[:20]: problem.BodyRefused,
		pack(strings.Repeat(" ", 4<<20)): problem.BodyTooLarge,
	} {
		if ex := send(e, body, true, isJSON, coded); ex.Verdict != want {
			t.Errorf("%.20q: %s, want %s", body, ex.Verdict, want)
		}
	}
	if ex := send(e, "{}", true, isJSON, "Content-Encoding: gzip", "Content-Encoding: zstd"); ex.Verdict != problem.BodyRefused {
		t.Errorf("several Content-Encodings: %s", ex.Verdict)
	}
}

func TestInShadowNothingIsRefusedAndTheBodyGoesOn(t *testing.T) {
	t.Parallel()
	e := edge(t, "shadow", `{"max_bytes": 10}`)
	for body, want := range map[string]problem.Code{`{"a":1,`: problem.JSONRefused, `{"a":"0123456789"}`: problem.BodyTooLarge, `{}`: ""} {
		for _, stated := range []bool{true, false} {
			ex := send(e, body, stated, isJSON)
			if ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != want {
				t.Errorf("%s: %s, in shadow %q", body, ex.Verdict, ex.ShadowVerdict)
			}
			if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != body {
				t.Errorf("%s goes on as %q, %v", body, got, err)
			}
		}
	}
}

func TestALimitOfTheBodyIsToldAsTheLimits(t *testing.T) {
	t.Parallel()
	const limit = `{"name": "limit", "kind": "request-limits", "mode": %q, "config": {"max_body_bytes": 4}, "attached_to": [{"route": "r"}]}`
	for _, guard := range []string{"enforce", "shadow"} {
		e := edge(t, guard, `{}`, fmt.Sprintf(limit, "enforce"))
		ex := send(e, `{"a":1}`, false, isJSON)
		if ex.Verdict != problem.BodyTooLarge || ex.Rejection.Policy != "limit" || ex.ShadowVerdict != "" {
			t.Errorf("with a guard in %s: %s by %q, in shadow %q", guard, ex.Verdict, ex.Rejection.Policy, ex.ShadowVerdict)
		}
		if e.Count("request-limits", pipeline.Enforce, problem.BodyTooLarge) != 1 || e.Count("json-guard", pipeline.Enforce, problem.BodyTooLarge) != 0 {
			t.Error("it isn't counted as the limit's")
		}
	}
	e := edge(t, "enforce", `{}`, fmt.Sprintf(limit, "shadow"))
	if ex := send(e, `{"a":1}`, false, isJSON); ex.Verdict != pipeline.Allowed {
		t.Errorf("a limit in shadow refuses: %s", ex.Verdict)
	}
}

func TestDryRunsHaveNoBody(t *testing.T) {
	t.Parallel()
	e := edge(t, "enforce", `{"require_json": true}`)
	r := edgetest.Get("/x")
	r.Method = "POST"
	ex := e.Exchange(r)
	ex.Dry = true
	if e.Run(ex); ex.Verdict != pipeline.Allowed {
		t.Errorf("%s", ex.Verdict)
	}
}
