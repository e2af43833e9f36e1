package explain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/explain"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/proxy"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// shop is a configuration with policies on every level.
const shop = `{
	"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
	"routes": [
		{"name": "order", "service": "orders", "hosts": ["shop.test"], "paths": [{"template": "/orders/{id}"}], "methods": ["GET"], "rewrite_path": "/v2/{id}"},
		{"name": "beta", "service": "orders", "hosts": ["shop.test"], "paths": [{"template": "/orders/{id}"}], "headers": [{"name": "X-Beta", "present": true}]},
		{"name": "all", "service": "orders", "hosts": ["shop.test"], "paths": [{"prefix": "/"}], "public": true}
	],
	"policies": [
		{"name": "keys", "kind": "api-key", "config": {"required_scopes": ["read"]}, "attached_to": [{"service": "orders"}]},
		{"name": "watch", "kind": "rate-limit", "mode": "shadow", "attached_to": [{"environment": true}], "config": {"by": [{"address": true}], "windows": [{"requests": 1, "window": "1h"}]}},
		{"name": "limit", "kind": "rate-limit", "attached_to": [{"route": "order"}], "config": {"by": [{"key": true}], "windows": [{"requests": 2, "window": "1h"}]}}
	]
}`

// edge is a node without a network that explains. It has nothing to ask a service with: who tried would panic.
type edge struct {
	*edgetest.Edge

	usage     *usage.Ledger
	proxy     *proxy.Proxy
	accessLog bytes.Buffer
	log       *proxy.AccessLog
	logged    bytes.Buffer
	explainer *explain.Explainer
}

func newEdge(t testing.TB, configuration string) *edge {
	t.Helper()
	return newEdgeOf(t, policies.All(), configuration)
}

func newEdgeOf(t testing.TB, kinds []pipeline.Binding, configuration string) *edge {
	t.Helper()
	e := &edge{Edge: edgetest.New(t, kinds...)}
	e.usage = usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)})
	e.log = proxy.NewAccessLog(&e.accessLog)
	e.proxy = proxy.New(proxy.Config{
		Snapshots: &e.Holder, Directory: e.Directory, Freshness: freshness.New(time.Now()), Streams: streams.NewRegistry(e.Directory),
		Usage: e.usage.Recorder(), AccessLog: e.log,
	})
	e.explainer = explain.New(explain.Config{
		Gateway: e.proxy, Snapshots: &e.Holder, Directory: e.Directory,
		Logger: slog.New(slog.NewTextHandler(&e.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if configuration != "" {
		e.Configure(t, configuration)
	}
	return e
}

// asked returns a question; fields are "Name: value".
func asked(method, target string, fields ...string) *edgev1.ExplainQuestion {
	q := &edgev1.ExplainQuestion{Method: method, Target: target, Protocol: "HTTP/1.1", Host: "Shop.test:8080", Peer: "192.0.2.7"}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		q.Headers = append(q.Headers, &edgev1.HeaderField{Name: name, Value: value})
	}
	return q
}

func (e *edge) explain(t testing.TB, q *edgev1.ExplainQuestion) *edgev1.Explanation {
	t.Helper()
	m, err := e.explainer.Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func stages(m *edgev1.Explanation) string {
	var all []string
	for _, s := range m.GetStages() {
		all = append(all, fmt.Sprintf("%s %s %s %s %s", s.GetName(), s.GetLevel(), s.GetMode(), s.GetVerdict(), s.GetCode()))
	}
	return strings.Join(all, "; ")
}

func misses(m *edgev1.Explanation) string {
	var all []string
	for _, s := range m.GetMisses() {
		all = append(all, fmt.Sprintf("%s %s [%s] wants [%s] has [%s]", s.GetName(), s.GetPart(), s.GetCondition(), s.GetWanted(), s.GetGiven()))
	}
	return strings.Join(all, "; ")
}

func is(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func TestAnAllowedRequestIsExplainedFromRouteToService(t *testing.T) {
	e := newEdge(t, shop)
	key := e.Key(t, "alice", edgetest.Key{Scopes: []string{"read"}})
	m := e.explain(t, asked("GET", "/orders/%37?api_key=x", "X-Api-Key: "+key, "Cookie: sid=geheim", "X-Forwarded-For: 1.2.3.4"))
	if m.GetVerdict() != "allowed" || m.GetStatus() != 0 || m.GetRevision() != 1 || m.GetSequence() == 0 {
		t.Errorf("%v", m)
	}
	is(t, "where", m.GetHost()+" "+m.GetPath()+" "+m.GetClientAddress(), "shop.test /orders/7 192.0.2.7")
	route := m.GetRoute()
	is(t, "route", route.GetName()+" "+route.GetCompared()+" "+route.GetPath()+" "+route.GetParams()[0].GetName()+"="+route.GetParams()[0].GetValue(),
		"order template /orders/{id} id=7")
	is(t, "stages", stages(m), "watch environment shadow passed ; keys service enforce passed ; limit route enforce passed ")
	is(t, "misses", misses(m), "all precedence [] wants [] has []; beta header [X-Beta] wants [present] has []")
	is(t, "caller", m.GetCaller().GetName()+" "+strings.Join(m.GetCaller().GetScopes(), " "), "alice read")
	if q := m.GetQuotas(); len(q) != 1 || q[0].GetName() != "limit" || q[0].GetRemaining() != 2 {
		t.Errorf("quotas %v", q)
	}
	f := m.GetForward()
	is(t, "forward", f.GetName()+" "+f.GetPath()+" "+strings.Join(f.GetTargets(), " "), "orders /v2/7 orders.test:80")
	header := map[string]string{}
	for _, field := range f.GetHeader() {
		header[field.GetName()] = field.GetValue()
	}
	if header["Cookie"] != "•••" || header["X-Forwarded-For"] != "192.0.2.7" || header["X-Sallyport-Consumer-Name"] != "alice" || header["X-Api-Key"] != "" {
		t.Errorf("the service gets %v", header)
	}
	if !slices.ContainsFunc(m.GetAnswerHeader(), func(f *edgev1.HeaderField) bool { return strings.EqualFold(f.GetName(), "RateLimit") }) {
		t.Errorf("the gateway adds %v", m.GetAnswerHeader())
	}
}

func TestARefusedRequestNamesThePolicyAndWhatWasNotReached(t *testing.T) {
	e := newEdge(t, shop)
	key := e.Key(t, "alice", edgetest.Key{})
	m := e.explain(t, asked("GET", "/orders/7", "X-Api-Key: "+key))
	if m.GetVerdict() != "scope_missing" || m.GetStatus() != 403 || m.GetPolicy() != "keys" || m.GetReason() != "the key lacks a required scope" || m.GetForward() != nil {
		t.Errorf("%v", m)
	}
	is(t, "stages", stages(m), "watch environment shadow passed ; keys service enforce refused scope_missing; limit route enforce not_reached ")
	var problem struct{ Code string }
	if err := json.Unmarshal([]byte(m.GetAnswerBody()), &problem); err != nil || problem.Code != "scope_missing" {
		t.Errorf("the client gets %s", m.GetAnswerBody())
	}
}

func TestWhatComesBeforeRoutesAndStagesIsExplained(t *testing.T) {
	e := newEdge(t, shop)
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_AddressRange{AddressRange: "203.0.113.0/24"}})
	blocked := asked("GET", "/")
	blocked.Peer = "203.0.113.9"
	hostless := asked("GET", "/", "Host: other")
	for name, test := range map[string]struct {
		q      *edgev1.ExplainQuestion
		status uint32
		code   string
	}{
		"two readings":  {asked("GET", "/orders/../x"), 400, "path_refused"},
		"a method":      {asked("TRACE", "/"), 405, "method_not_allowed"},
		"an upgrade":    {asked("GET", "/", "Connection: upgrade", "Upgrade: h2c"), 501, "upgrade_not_supported"},
		"a blocked one": {blocked, 403, "blocked"},
		"two hosts":     {hostless, 400, "bad_request"},
		"a long head":   {asked("GET", "/", "X-Long: "+strings.Repeat("x", 50_000)), 401, "credential_missing"},
		"spaces":        {asked("GET", "/a b"), 400, "bad_request"},
	} {
		m := e.explain(t, test.q)
		if m.GetStatus() != test.status || m.GetVerdict() != test.code || m.GetReason() == "" || m.GetForward() != nil {
			t.Errorf("%s: %v", name, m)
		}
		if test.code != "credential_missing" && (m.GetRoute() != nil || len(m.GetMisses()) != 0 || len(m.GetStages()) != 0) {
			t.Errorf("%s: a route was looked for: %v", name, m)
		}
	}
	nothing := newEdge(t, "")
	if m := nothing.explain(t, asked("GET", "/")); m.GetVerdict() != "not_ready" || m.GetStatus() != 503 {
		t.Errorf("without configuration: %v", m)
	}
}

func TestNoRouteComesWithTheNearest(t *testing.T) {
	e := newEdge(t, shop)
	other := asked("POST", "/orders/7", "X-Beta: 1")
	other.Host = "shop.test.evil"
	m := e.explain(t, other)
	if m.GetVerdict() != "route_not_found" || m.GetStatus() != 404 || m.GetRoute() != nil {
		t.Errorf("%v", m)
	}
	is(t, "misses", misses(m), "all host [] wants [shop.test] has [shop.test.evil]; beta host [] wants [shop.test] has [shop.test.evil]; "+
		"order host [] wants [shop.test] has [shop.test.evil]")
}

func TestAKeyOrConsumerStandsInForASecretThatNobodyKnows(t *testing.T) {
	e := newEdge(t, shop)
	text := e.Key(t, "alice", edgetest.Key{Scopes: []string{"read"}})
	mallory := e.Consumer(t, "mallory", true)
	bob := e.Consumer(t, "bob", false)
	digest := edgetest.Digest(t, text)
	for name, test := range map[string]struct {
		proof, consumer []byte
		scopes          []string
		want, who       string
	}{
		"a key":                  {proof: digest[:], want: "allowed", who: "alice"},
		"a key that isn't there": {proof: bytes.Repeat([]byte{7}, 32), want: "credential_invalid"},
		"a consumer":             {consumer: bob[:], want: "scope_missing", who: "bob"},
		"with a scope":           {consumer: bob[:], scopes: []string{"read"}, want: "allowed", who: "bob"},
		"a suspended one":        {consumer: mallory[:], scopes: []string{"read"}, want: "consumer_suspended"},
		"nobody":                 {consumer: bytes.Repeat([]byte{7}, 16), want: "credential_invalid"},
	} {
		q := asked("GET", "/orders/7")
		q.Proof, q.Consumer, q.Scopes = test.proof, test.consumer, test.scopes
		if m := e.explain(t, q); m.GetVerdict() != test.want || m.GetCaller().GetName() != test.who {
			t.Errorf("%s: %s %v", name, m.GetVerdict(), m.GetCaller())
		}
	}
	e.Revoke(t, text)
	q := asked("GET", "/orders/7")
	q.Proof = digest[:]
	if m := e.explain(t, q); m.GetVerdict() != "credential_invalid" {
		t.Errorf("a revoked key: %v", m)
	}
}

// Only a dry run takes anybody's word for who calls.
func TestNobodyStandsInForACredentialOfARealRequest(t *testing.T) {
	e := newEdge(t, shop)
	bob := e.Consumer(t, "bob", false)
	ex := e.Exchange(edgetest.Request{Host: "shop.test", Target: "/orders/7"})
	ex.Assumed = &pipeline.Assumed{Consumer: bob, Scopes: []string{"read"}}
	e.Run(ex)
	if ex.Verdict != "credential_missing" || ex.Identity.Known() {
		t.Fatalf("%s %v", ex.Verdict, ex.Identity)
	}
}

func TestAnExplanationCountsNothingAndKeepsNothing(t *testing.T) {
	e := newEdge(t, shop)
	key := e.Key(t, "alice", edgetest.Key{Scopes: []string{"read"}})
	count := func() (all string) {
		for series, n := range e.Metrics.All() {
			all += fmt.Sprint(series, n, " ")
		}
		return all
	}
	before := count()
	for range 50 {
		m := e.explain(t, asked("GET", "/orders/7?token=geheim", "X-Api-Key: "+key, "Authorization: Basic Z2VoZWlt", "X-Session-Token: geheim"))
		if m.GetVerdict() != "allowed" || m.GetQuotas()[0].GetRemaining() != 2 || m.GetShadowVerdict() != "" {
			t.Fatalf("%v", m)
		}
		if shown := m.String(); strings.Contains(shown, key) || strings.Contains(shown, "geheim") || strings.Contains(shown, "Z2VoZWlt") {
			t.Fatalf("secrets are shown: %s", shown)
		}
	}
	if after := count(); after != before {
		t.Errorf("counted %s, before %s", after, before)
	}
	if n := e.proxy.UnderWay(); n != 0 {
		t.Errorf("%d requests are under way", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := e.log.Run(ctx); err != nil || e.accessLog.Len() > 0 || e.logged.Len() > 0 {
		t.Errorf("the logs hold %q and %q: %v", e.accessLog.String(), e.logged.String(), err)
	}
}

func TestAQuestionThatWouldBeTwoRequestsIsRefused(t *testing.T) {
	e := newEdge(t, shop)
	split := asked("GET", "/")
	split.Host = "a\r\n\r\nGET /other HTTP/1.1"
	both := asked("GET", "/")
	both.Proof, both.Consumer = make([]byte, 32), make([]byte, 16)
	addressless := asked("GET", "/")
	addressless.Peer = "nowhere"
	for name, q := range map[string]*edgev1.ExplainQuestion{
		"a host":       split,
		"a method":     asked("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "/"),
		"a target":     asked("GET", "/ HTTP/1.1\n\nGET /"),
		"a name":       asked("GET", "/", "X\n: y"),
		"a value":      asked("GET", "/", "X: y\r\n\r\n"),
		"a huge head":  asked("GET", "/", "X: "+strings.Repeat("y", 60_000)),
		"two standins": both,
		"no address":   addressless,
	} {
		if m, err := e.explainer.Explain(t.Context(), q); !errors.Is(err, explain.ErrQuestion) {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	e := newEdge(b, shop)
	q := asked("GET", "/orders/7", "X-Api-Key: "+e.Key(b, "alice", edgetest.Key{Scopes: []string{"read"}}))
	b.ReportAllocs()
	for b.Loop() {
		if m, err := e.explainer.Explain(b.Context(), q); err != nil || m.GetVerdict() != "allowed" {
			b.Fatal(m, err)
		}
	}
}

// The route of a preflight is found by the method that it asks for, and so are those that come near.
func TestAPreflightIsExplainedOnTheRouteThatAnswersIt(t *testing.T) {
	e := newEdge(t, `{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [
			{"name": "api", "service": "orders", "hosts": ["shop.test"], "paths": [{"prefix": "/"}], "methods": ["DELETE"]},
			{"name": "read", "service": "orders", "hosts": ["shop.test"], "paths": [{"exact": "/x"}], "methods": ["GET"]},
			{"name": "options", "service": "orders", "hosts": ["shop.test"], "paths": [{"exact": "/x"}], "methods": ["OPTIONS"]}
		],
		"policies": [
			{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"service": "orders"}]},
			{"name": "pages", "kind": "cors", "config": {"origins": ["https://app.example"]}, "attached_to": [{"route": "api"}]}
		]}`)
	m := e.explain(t, asked("OPTIONS", "/x", "Origin: https://app.example", "Access-Control-Request-Method: DELETE"))
	is(t, "stages", stages(m), "pages route enforce answered ; keys service enforce not_reached ")
	is(t, "route", m.GetRoute().GetName()+" "+m.GetRoute().GetCompared()+" "+m.GetRoute().GetPath(), "api prefix /")
	is(t, "misses", misses(m), "options method [] wants [OPTIONS] has [DELETE]; read method [] wants [GET] has [DELETE]")
	m = e.explain(t, asked("OPTIONS", "/x", "Origin: https://app.example", "Access-Control-Request-Method: GET"))
	is(t, "the route of one that nobody answers", m.GetRoute().GetName(), "options")
}

// What a client names in Connection never gets to the service: so no policy sees it, and none that writes a field of the name loses it.
func TestNoClientShowsToPoliciesWhatItsServiceDoesNotGetOrTakesOutWhatTheyWrite(t *testing.T) {
	e := newEdge(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"settings": [{"name": "settings", "trusted_proxies": ["192.0.2.0/24"]}],
		"routes": [
			{"name": "beta", "service": "s", "paths": [{"prefix": "/"}], "public": true, "headers": [{"name": "X-Beta", "present": true}]},
			{"name": "all", "service": "s", "paths": [{"prefix": "/"}], "public": true}
		],
		"policies": [
			{"name": "types", "kind": "request-limits", "attached_to": [{"environment": true}], "config": {"require_content_type": true}},
			{"name": "inside", "kind": "address-access", "attached_to": [{"environment": true}], "config": {"deny": [{"range": "198.51.100.0/24"}]}},
			{"name": "tenant", "kind": "headers", "attached_to": [{"environment": true}], "config": {"request": {
				"set": [{"name": "X-Tenant", "value": "bank"}, {"name": "X-Copy", "value": "{header.X-Hop}"}], "add": [{"name": "X-Added", "value": "1"}]}}}
		]}`)
	hop := "Connection: close, x-tenant, X-Added,X-Hop, X-Beta, TE, Content-Type, X-Forwarded-For"
	m := e.explain(t, asked("GET", "/", hop, "X-Hop: of this connection", "X-Tenant: mine", "X-Beta: 1", "TE: trailers"))
	is(t, "route", m.GetRoute().GetName(), "all")
	got := map[string]string{}
	for _, f := range m.GetForward().GetHeader() {
		got[f.GetName()] += f.GetValue()
	}
	if got["X-Tenant"]+got["X-Added"]+got["Te"] != "bank1trailers" || got["X-Hop"]+got["X-Copy"]+got["Connection"]+got["X-Beta"] != "" {
		t.Errorf("the service gets %v", got)
	}
	upload := asked("POST", "/", hop, "Content-Type: application/json")
	upload.BodyBytes = 5
	is(t, "a Content-Type that the service doesn't get", e.explain(t, upload).GetVerdict(), "unsupported_media_type")
	is(t, "an address that a trusted proxy tells", e.explain(t, asked("GET", "/", hop, "X-Forwarded-For: 198.51.100.7")).GetVerdict(), "address_not_allowed")
}

func TestNoSecretIsShownInTheQueryOfAnAddress(t *testing.T) {
	e := newEdge(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [{"name": "moved", "kind": "respond", "config": {"redirect": {"location": "/v2{path}?{query}"}, "before_authentication": true}, "attached_to": [{"environment": true}]}]}`)
	key := e.Key(t, "alice", edgetest.Key{})
	m := e.explain(t, asked("GET", "/a?q=1&api%5fkey=geheim&x="+key+"&"+key+"&y"))
	for _, f := range m.GetAnswerHeader() {
		if f.GetName() == "Location" {
			is(t, "location", f.GetValue(), "/v2/a?q=1&api%5fkey=•••&x=•••&•••&y")
			return
		}
	}
	t.Errorf("there is no location: %v", m)
}

func TestARequestIsExplainedOverTheSchemeThatIsAskedFor(t *testing.T) {
	e := newEdge(t, shop)
	e.Configure(t, `{"settings": [{"name": "settings", "tls": {"redirect_http": true, "hsts": {}}}]}`)
	plain := e.explain(t, asked("GET", "/orders/7"))
	if plain.GetStatus() != 308 || plain.GetVerdict() != "allowed" || plain.GetForward() != nil || len(plain.GetStages()) != 0 || plain.GetRevision() != 2 {
		t.Errorf("over plain HTTP: %v", plain)
	}
	q := asked("GET", "/orders/7")
	q.Scheme = "https"
	secure := e.explain(t, q)
	if secure.GetVerdict() != "credential_missing" || secure.GetStatus() != 401 {
		t.Errorf("over https: %v", secure)
	}
	told := false
	for _, f := range secure.GetAnswerHeader() {
		told = told || f.GetName() == "Strict-Transport-Security" && f.GetValue() == "max-age=31536000"
	}
	if !told {
		t.Errorf("the answer over https doesn't tell browsers to stay there: %v", secure.GetAnswerHeader())
	}
}
