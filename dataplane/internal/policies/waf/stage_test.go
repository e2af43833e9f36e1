package waf_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	waf "github.com/sallyport/sallyport/dataplane/internal/policies/waf"
	engines "github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/problem"
)

func edge(t testing.TB, mode, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, waf.Binding)
	configure(t, e, mode, config)
	return e
}

func configure(t testing.TB, e *edgetest.Edge, mode, config string) {
	t.Helper()
	e.Configure(t, fmt.Sprintf(`{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [{"name": "w", "kind": "waf", "mode": %q, "config": %s, "attached_to": [{"route": "r"}]}]}`, mode, config))
}

const (
	injected = "/?id=1%27+or+%271%27%3D%271%27+union+select+password+from+users--+"
	attack   = "1' or '1'='1' union select password from users-- "
)

var usual = []string{"User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*"}

func get(target string, fields ...string) edgetest.Request {
	return edgetest.Get(target, slices.Concat(usual, fields)...)
}

// post returns an exchange with a body; length -1: it isn't stated.
func post(e *edgetest.Edge, body string, length int64, fields ...string) *pipeline.Exchange {
	r := get("/", fields...)
	r.Method = "POST"
	if length >= 0 {
		r.Header = append(r.Header, pipeline.Field{Name: "Content-Length", Value: fmt.Sprint(length)})
	} else {
		r.Header = append(r.Header, pipeline.Field{Name: "Transfer-Encoding", Value: "chunked"})
	}
	ex := e.Exchange(r)
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(body), length
	return ex
}

func jsonBody(value string) string {
	b, _ := json.Marshal(map[string]string{"comment": value})
	return string(b)
}

func run(e *edgetest.Edge, ex *pipeline.Exchange) problem.Code {
	e.Run(ex)
	return ex.Verdict
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func brotlied(text string) string {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestAnAttackIsBlockedAndToldOfToOperatorsAlone(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	ex := e.Do(get(injected))
	if ex.Verdict != problem.WafBlocked || ex.Response.Status != 403 {
		t.Fatalf("%s %d: %s", ex.Verdict, ex.Response.Status, e.Log.String())
	}
	body, _ := io.ReadAll(ex.Response.Body)
	if strings.Contains(string(body), "942100") || strings.Contains(string(body), "SQL") || strings.Contains(string(body), "score") {
		t.Errorf("the caller is told: %s", body)
	}
	if !strings.Contains(ex.Rejection.Reason, "942100 (SQL Injection") || !strings.Contains(ex.Rejection.Reason, "reaches 5") {
		t.Errorf("the reason is %q", ex.Rejection.Reason)
	}
	at := slices.IndexFunc(ex.Findings, func(f pipeline.Finding) bool { return f.Rule == "942100" })
	if at < 0 {
		t.Fatalf("%+v", ex.Findings)
	}
	if f := ex.Findings[at]; f.Target != "argument:id" || f.Score != 5 || strings.Contains(f.Part, "password") || f.Part == "" || f.InAnswer || f.Policy.IsZero() {
		t.Errorf("%+v", f)
	}
	if ex := e.Do(get("/?q=a+book+about+selecting+apples")); ex.Verdict != pipeline.Allowed || len(ex.Findings) != 0 {
		t.Errorf("%s: %+v", ex.Verdict, ex.Findings)
	}
}

func TestABodyIsInspectedWhateverItsCoding(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	for name, tt := range map[string]struct {
		body    func(string) string
		coding  string
		chunked bool
	}{
		"plain":   {func(s string) string { return s }, "", false},
		"chunked": {func(s string) string { return s }, "", true},
		"gzip":    {zipped, "gzip", false},
		"br":      {brotlied, "br", true},
	} {
		fields := []string{"Content-Type: application/json"}
		if tt.coding != "" {
			fields = append(fields, "Content-Encoding: "+tt.coding)
		}
		for value, want := range map[string]problem.Code{attack: problem.WafBlocked, "all is well": pipeline.Allowed} {
			sent := tt.body(jsonBody(value))
			length := int64(len(sent))
			if tt.chunked {
				length = -1
			}
			ex := post(e, sent, length, fields...)
			if got := run(e, ex); got != want {
				t.Errorf("%s: %q is answered %s: %+v %s", name, value, got, ex.Rejection, e.Log.String())
			}
			if want == pipeline.Allowed {
				if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != sent {
					t.Errorf("%s: forwarded is %q, %v", name, got, err)
				}
			}
		}
	}
}

func TestWhatLiesBeyondTheLimitIsRefusedOrPassesAsConfigured(t *testing.T) {
	refuses, passes := edge(t, "enforce", `{"request_body": {"max_bytes": 1000}}`), edge(t, "enforce", `{"request_body": {"max_bytes": 1000, "beyond": "pass"}}`)
	ignores := edge(t, "enforce", `{"request_body": {"ignore": true}}`)
	large := jsonBody(strings.Repeat("a ", 600) + attack)
	bomb := zipped(jsonBody(strings.Repeat("a ", 100_000)))
	small := jsonBody(attack)
	plain, coded := "Content-Type: application/json", "Content-Encoding: gzip"
	for name, tt := range map[string]struct {
		edge   *edgetest.Edge
		body   string
		length int64
		fields []string
		want   problem.Code
	}{
		"stated":             {refuses, large, int64(len(large)), []string{plain}, problem.BodyTooLarge},
		"streamed":           {refuses, large, -1, []string{plain}, problem.BodyTooLarge},
		"bomb":               {refuses, bomb, int64(len(bomb)), []string{plain, coded}, problem.BodyTooLarge},
		"no gzip":            {refuses, "{}", 2, []string{plain, coded}, problem.BodyRefused},
		"no JSON":            {refuses, "{", 1, []string{plain}, problem.WafBlocked},
		"stated passes":      {passes, large, int64(len(large)), []string{plain}, pipeline.Allowed},
		"streamed passes":    {passes, large, -1, []string{plain}, pipeline.Allowed},
		"bomb passes":        {passes, bomb, int64(len(bomb)), []string{plain, coded}, pipeline.Allowed},
		"no gzip passes":     {passes, "{}", 2, []string{plain, coded}, pipeline.Allowed},
		"no JSON passes":     {passes, "{", 1, []string{plain}, pipeline.Allowed},
		"within is read":     {passes, small, int64(len(small)), []string{plain}, problem.WafBlocked},
		"ignored":            {ignores, small, int64(len(small)), []string{plain}, pipeline.Allowed},
		"ignored, no coding": {ignores, "{}", 2, []string{plain, coded}, problem.WafBlocked},
	} {
		ex := post(tt.edge, tt.body, tt.length, tt.fields...)
		if got := run(tt.edge, ex); got != tt.want {
			t.Errorf("%s is answered %s: %+v", name, got, ex.Rejection)
		}
		if tt.want == pipeline.Allowed {
			if got, err := io.ReadAll(ex.Request.Body); err != nil || string(got) != tt.body {
				t.Errorf("%s: %d of %d bytes are forwarded, %v", name, len(got), len(tt.body), err)
			}
		}
	}
	// The head is inspected all the same.
	ex := post(passes, large, int64(len(large)), plain, "Referer: "+attack)
	if got := run(passes, ex); got != problem.WafBlocked {
		t.Errorf("a head with an attack in front of a body that passes is answered %s", got)
	}
}

func TestWhatStreamsIsInspectedAtItsHandshakeAlone(t *testing.T) {
	e := edge(t, "enforce", `{"answers": {"bodies": true}, "protocol": {"grpc": true}}`)
	ex := e.Exchange(get("/", "Connection: Upgrade", "Upgrade: websocket"))
	ex.Request.Upgrade, ex.Request.ContentLength = "websocket", -1
	ex.Request.Body = failing{t}
	if got := run(e, ex); got != pipeline.Allowed {
		t.Errorf("a handshake is answered %s", got)
	}
	ex = e.Exchange(get(injected, "Connection: Upgrade", "Upgrade: websocket"))
	ex.Request.Upgrade = "websocket"
	if got := run(e, ex); got != problem.WafBlocked {
		t.Errorf("a handshake with an attack is answered %s", got)
	}
	ex = post(e, "", -1, "Content-Type: application/grpc+proto", "Te: trailers")
	ex.Request.Body, ex.Request.Proto = failing{t}, "HTTP/2.0"
	ex.Request.Header.Del("Transfer-Encoding")
	if got := run(e, ex); got != pipeline.Allowed {
		t.Errorf("gRPC is answered %s: %+v", got, ex.Rejection)
	}
	unasked := edge(t, "enforce", `{"inbound_threshold": 6}`)
	claimed := post(unasked, jsonBody(attack), -1, "Content-Type: application/grpc")
	claimed.Request.Proto = "HTTP/2.0"
	run(unasked, claimed)
	if c := waf.CountsOf(unasked.Env.Shared()); c.Inspections[engines.PartBody][engines.Clean]+c.Inspections[engines.PartBody][engines.Noted]+c.Inspections[engines.PartBody][engines.Blocked] != 1 {
		t.Errorf("where gRPC isn't allowed, the body of what says that it is gRPC isn't looked at: %+v", c)
	}
	claimed = post(e, jsonBody(attack), -1, "Content-Type: application/grpc")
	run(e, claimed)
	if c := waf.CountsOf(e.Env.Shared()); c.Inspections[engines.PartBody][engines.Clean]+c.Inspections[engines.PartBody][engines.Blocked] != 1 {
		t.Errorf("the body of what only says that it is gRPC isn't looked at: %+v", c)
	}
	// Who asks to switch protocols and isn't let gets an answer as any other.
	ex = answered(t, e, get("/", "Connection: Upgrade", "Upgrade: websocket"), 200, leak, int64(len(leak)), "Content-Type: text/html")
	if ex.Verdict != problem.WafAnswerBlocked {
		t.Errorf("the answer to an upgrade that wasn't made is %s", ex.Verdict)
	}
}

// failing is a body that nobody may read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body was read")
	return 0, io.EOF
}

func TestInShadowNobodyIsRefused(t *testing.T) {
	e := edge(t, "shadow", `{"answers": {"bodies": true}}`)
	ex := e.Do(get(injected))
	if ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != problem.WafBlocked || len(ex.Findings) == 0 {
		t.Errorf("%s, in shadow %q, %d findings", ex.Verdict, ex.ShadowVerdict, len(ex.Findings))
	}
	leaks := answered(t, e, get("/"), 200, leak, int64(len(leak)), "Content-Type: text/html")
	if body, _ := io.ReadAll(leaks.Response.Body); leaks.ShadowVerdict != problem.WafAnswerBlocked || leaks.Verdict != pipeline.Allowed || string(body) != leak {
		t.Errorf("a leak: %s, in shadow %q: %q", leaks.Verdict, leaks.ShadowVerdict, body)
	}
}

func TestADryRunInspectsTheHeadAndCountsNothing(t *testing.T) {
	e := edge(t, "enforce", `{}`)
	r := get(injected)
	r.Dry = true
	if ex := e.Do(r); ex.Verdict != problem.WafBlocked {
		t.Errorf("%s", ex.Verdict)
	}
	dry := post(e, "", -1, "Content-Type: application/json")
	dry.Dry, dry.Request.Body = true, failing{t}
	if got := run(e, dry); got != pipeline.Allowed {
		t.Errorf("%s: %+v", got, dry.Rejection)
	}
	if c := waf.CountsOf(e.Env.Shared()); len(c.Inspections[engines.PartHead])+len(c.Inspections[engines.PartBody]) != 0 || c.Inspecting != 0 || c.Bytes[engines.PartHead] != 0 {
		t.Errorf("counted: %+v", c)
	}
	e.Do(get(injected))
	if c := waf.CountsOf(e.Env.Shared()); c.Inspections[engines.PartHead][engines.Blocked] != 1 || c.Inspecting == 0 || c.Bytes[engines.PartHead] == 0 {
		t.Errorf("not counted: %+v", c)
	}
}

func TestPoliciesWithTheSameRulesHaveOneEngineOverRoutesAndRevisions(t *testing.T) {
	e := edgetest.New(t, waf.Binding)
	const routes, settings = 100, 5
	var all, policies []string
	for i := range routes {
		all = append(all, fmt.Sprintf(`{"name": "r-%d", "service": "s", "paths": [{"prefix": "/%d"}], "public": true}`, i, i))
		policies = append(policies, fmt.Sprintf(`{"name": "w-%d", "kind": "waf", "mode": "enforce", "attached_to": [{"route": "r-%d"}],
			"config": {"inbound_threshold": %d, "request_body": {"max_bytes": %d}}}`, i, i, 5+i%settings, 1000+i))
	}
	configure := func() {
		e.Configure(t, `{"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}], "routes": [`+strings.Join(all, ",")+`], "policies": [`+strings.Join(policies, ",")+`]}`)
	}
	configure()
	if c := waf.CountsOf(e.Env.Shared()); c.Engines != settings || c.Compiled != settings || c.Compiling == 0 {
		t.Fatalf("%+v", c)
	}
	policies[0] = strings.Replace(policies[0], `"max_bytes": 1000`, `"max_bytes": 2000`, 1)
	configure()
	if c := waf.CountsOf(e.Env.Shared()); c.Compiled != settings {
		t.Errorf("%d engines were made for a revision that changes no rule", c.Compiled-settings)
	}
	for i := range policies {
		policies[i] = strings.Replace(policies[i], fmt.Sprintf(`"inbound_threshold": %d`, 5+i%settings), fmt.Sprintf(`"inbound_threshold": %d`, 5+i%2), 1)
	}
	configure()
	for range 100 {
		runtime.GC()
		if waf.CountsOf(e.Env.Shared()).Engines == 2 {
			break
		}
		runtime.Gosched()
	}
	if c := waf.CountsOf(e.Env.Shared()); c.Engines != 2 {
		t.Errorf("%d engines are alive where two are used", c.Engines)
	}
}

func TestExceptionsHoldOnTheirPathsAlone(t *testing.T) {
	e := edge(t, "enforce", `{"exceptions": [{"tags": ["attack-sqli"], "targets": ["argument:comment"], "paths": ["/posts/*"]}, {"rules": ["942100-942999"], "paths": ["/sql"]}]}`)
	query := "?comment=1%27+or+%271%27%3D%271%27"
	for target, want := range map[string]problem.Code{
		"/posts/1" + query: pipeline.Allowed, "/posts" + query: problem.WafBlocked, "/%70osts/1" + query: pipeline.Allowed, "/other" + query: problem.WafBlocked,
		"/posts/1" + strings.Replace(query, "comment", "name", 1): problem.WafBlocked, "/sql" + strings.Replace(query, "comment", "name", 1): pipeline.Allowed,
	} {
		if ex := e.Do(get(target)); ex.Verdict != want {
			t.Errorf("%s is answered %s: %+v", target, ex.Verdict, ex.Findings)
		}
	}
}

func TestAFaultOfTheEngineRefusesTheRequest(t *testing.T) {
	e := edgetest.New(t, waf.Faulty)
	configure(t, e, "enforce", `{}`)
	if ex := e.Do(get("/")); ex.Verdict != problem.PolicyFailed {
		t.Errorf("%s", ex.Verdict)
	}
	if e.Log.Len() == 0 {
		t.Error("nobody is told")
	}
}
