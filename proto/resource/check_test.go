package resource

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// validated reads a document, which must be right as such, and validates it.
func validated(t *testing.T, collection, document string, want ...string) {
	t.Helper()
	kind := typeOf(t, collection)
	m := kind.New()
	decoded(t, document, m)
	violations := kind.Validate(m)
	for _, v := range violations {
		if v.Detail == "" {
			t.Errorf("%s: %s without words", v.Pointer, v.Code)
		}
	}
	got := brief(violations)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\ngot  %q\nwant %q", document, got, want)
	}
}

func TestEverythingWrongWithAnObjectIsToldAtOnce(t *testing.T) {
	validated(t, "services", `{"id":"rt_1","name":"Orders","labels":{"-":"x"},"upstream":{"targets":[{"address":"a"},{"weight":2000}],"timeouts":{"connect":"2h"}}}`,
		"/id invalid_format", "/name invalid_format", "/labels/- invalid_format",
		"/upstream/targets/1/address required", "/upstream/targets/1/weight out_of_range", "/upstream/timeouts/connect out_of_range",
		"/upstream/targets/0/address invalid_format")
	validated(t, "services", `{}`, "/name required", "/upstream required")
	validated(t, "routes", `{}`, "/name required", "/service required", "/paths too_few")
	validated(t, "policies", `{}`, "/name required", "/kind required", "/config required")
	validated(t, "settings", `{}`, "/name invalid_value")
}

func TestNames(t *testing.T) {
	for name, code := range map[string]string{
		"a": "", "orders": "", "orders.v2_eu-1": "", "7": "", strings.Repeat("a", 63): "",
		"": "required", strings.Repeat("a", 64): "too_long",
		"-a": "invalid_format", "a-": "invalid_format", ".": "invalid_format", "_": "invalid_format", "A": "invalid_format", "a b": "invalid_format",
		"a/b": "invalid_format", "é": "invalid_format", "a\x00b": "invalid_format", "a\n": "invalid_format", "..": "invalid_format",
		"rt_00000000000000000000000000": "name_looks_like_id", "svc_01arz3ndektsv4rrffq69g5fav": "name_looks_like_id",
		"rt_0000000000000000000000000": "", "rt_0000000000000000000000000l": "",
	} {
		violations := CheckName(name)
		if (code == "") != (len(violations) == 0) || code != "" && violations[0].Code != code {
			t.Errorf("%q: %v, want %q", name, violations, code)
		}
	}
	validated(t, "settings", `{"name":"settings"}`)
	validated(t, "settings", `{"name":"other"}`, "/name invalid_value")
}

func TestLabels(t *testing.T) {
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint("l", i)] = ""
	}
	tests := []struct {
		labels map[string]string
		want   []string
	}{
		{nil, nil},
		{map[string]string{"team": "Größe: 7 = x", "example.com/Owner_1": "", strings.Repeat("k", 63): strings.Repeat("v", 256)}, nil},
		{map[string]string{"": "", "a b": "", "/a": "", "a,b": "", strings.Repeat("k", 64): ""}, []string{
			"/labels/ invalid_format", "/labels/~1a invalid_format", "/labels/a b invalid_format", "/labels/a,b invalid_format",
			"/labels/" + strings.Repeat("k", 64) + " invalid_format",
		}},
		{map[string]string{"a": "x,y", "b": "x\ny", "c": strings.Repeat("v", 257), "K": "é"}, []string{
			"/labels/a invalid_format", "/labels/b invalid_format", "/labels/c invalid_format",
		}},
		{map[string]string{"\u212A": ""}, []string{"/labels/\u212A invalid_format"}}, // the Kelvin sign is k in lower case
		{many, []string{"/labels too_many"}},
	}
	for _, tt := range tests {
		wantBrief(t, CheckLabels(tt.labels), tt.want...)
	}
}

func TestTargetAddresses(t *testing.T) {
	for _, good := range []string{
		"a:80", "orders.internal:1", "orders.internal.:65535", "10.0.3.7:8080", "[fd00::7]:8080", "[::1]:80", "my_service:80", "xn--grn-ioa.example:443",
		"7up.example:80", strings.Repeat("a", 63) + ".b:80",
	} {
		if err := checkAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"a", "a:", ":80", "a:0", "a:65536", "a:080", "a:+80", "a:http", "a:80:80", "fd00::7:80", "[fd00::7]", "[fd00::7]:0", "[fd00:0::7]:80", "[FD00::7]:80",
		"[fe80::1%eth0]:80", "[10.0.0.1]:80", "[::ffff:10.0.0.1]:80", "[a]:80", "[fd00::7:80", "fd00::7]:80", "http://a:80", "a/b:80", "user@a:80", "a b:80",
		"Orders:80", "é:80", "-a:80", "a-.b:80", "a..b:80", ".a:80", "a..:80", ".:80", "010.0.0.1:80", "1.2.3:80", "1:80", "0x7f.1:80", "0x7f000001:80", "127.1:80",
		"2130706433:80", "10.0.0.256:80", "10.0.0.1.:80:80", "*.a:80", strings.Repeat("a", 64) + ":80", strings.Repeat("a.", 127) + "a:80", "a\x00:80", "a:80\n",
	} {
		if checkAddress(bad) == nil {
			t.Errorf("%q passed", bad)
		}
	}
	validated(t, "services", `{"name":"a","upstream":{"targets":[{"address":"a:80"},{"address":"b:80"},{"address":"a:80"}]}}`,
		"/upstream/targets/2/address not_unique")
}

func TestWhatAServiceSaysOfItsTargets(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	pem, err := json.Marshal(authority.PEM())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		fields string
		want   []string
	}{
		{`"tls":{}`, nil},
		{`"tls":{"server_name":"orders.internal","ca_certificates":` + string(pem) + `,"client_certificate":"gateway"}`, nil},
		{`"tls":{"server_name":"*.internal"}`, []string{"/upstream/tls/server_name invalid_format"}},
		{`"tls":{"server_name":"orders.internal:443"}`, []string{"/upstream/tls/server_name invalid_format"}},
		{`"tls":{"ca_certificates":"none"}`, []string{"/upstream/tls/ca_certificates invalid_format"}},
		{`"tls":{"ca_certificates":"-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"}`, []string{"/upstream/tls/ca_certificates invalid_format"}},
		{`"tls":{"ca_certificates":"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"}`, []string{"/upstream/tls/ca_certificates invalid_format"}},
		{`"balancing":"least_requests","connections":{"max_per_target":10,"queue":0,"queue_timeout":"20ms"}`, nil},
		{`"connections":{"max_per_target":65536,"queue":10001,"queue_timeout":"61s"}`, []string{
			"/upstream/connections/max_per_target out_of_range", "/upstream/connections/queue out_of_range", "/upstream/connections/queue_timeout out_of_range",
		}},
		{`"ejection":{"consecutive_failures":0,"base_time":"1ms","max_percent":101}`, []string{
			"/upstream/ejection/consecutive_failures out_of_range", "/upstream/ejection/base_time out_of_range", "/upstream/ejection/max_percent out_of_range",
		}},
		{`"timeouts":{"try":"90s","request":"0s"}`, nil},
		{`"timeouts":{"try":"-1s","request":"25h"}`, []string{"/upstream/timeouts/try out_of_range", "/upstream/timeouts/request out_of_range"}},
	}
	for _, tt := range tests {
		validated(t, "services", `{"name":"a","upstream":{"targets":[{"address":"a:80"}],`+tt.fields+`}}`, tt.want...)
	}
}

func TestHosts(t *testing.T) {
	for _, good := range []string{"api.example.com", "*.example.com", "*.com", "localhost", "10.0.0.1", "xn--grn-ioa.example"} {
		if err := checkHostMatch(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"*", "*.", "a.*.com", "*a.com", "a.*", "*.*.com", "**.com", "api.example.com:443", "API.example.com", "api.example.com.", "[::1]", "::1", "1.2.3", "*.0.0.1",
		"*.10.0.0.1", "a b", "a/b", "http://a", "é.com", "", ".com", "0x7f.0.0.1",
	} {
		if checkHostMatch(bad) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestRoutes(t *testing.T) {
	route := func(fields string) string {
		if !strings.Contains(fields, `"paths"`) {
			fields += `,"paths":[{"prefix":"/"}]`
		}
		return `{"name":"a","service":"s",` + fields + `}`
	}
	tests := []struct {
		fields string
		want   []string
	}{
		{`"hosts":["api.example.com","*.example.com"],"methods":["GET","M-SEARCH"]`, nil},
		{`"hosts":["*","API.example.com","a","a"]`, []string{"/hosts/3 not_unique", "/hosts/0 invalid_format", "/hosts/1 invalid_format"}},
		{`"methods":["get","GET","GET"]`, []string{"/methods/2 not_unique", "/methods/0 invalid_format"}},
		{`"methods":["GET","CONNECT"]`, []string{"/methods/1 not_supported"}},
		{`"paths":[{"exact":"/a"},{"prefix":"/a"},{"prefix":"/a/"},{"template":"/a/{id}"},{"exact":"/%C3%A9"}]`, nil},
		{`"paths":[{"exact":"a"},{"exact":"/a/../b"},{"prefix":"//"},{"prefix":"/%61"},{"template":"/{id}/{id}"},{"template":"/a{id}"},{"exact":"/é"},{"exact":""}]`, []string{
			"/paths/7/exact too_short",
			"/paths/0/exact invalid_format", "/paths/1/exact invalid_format", "/paths/2/prefix invalid_format", "/paths/3/prefix invalid_format",
			"/paths/4/template invalid_format", "/paths/5/template invalid_format", "/paths/6/exact invalid_format",
		}},
		{`"paths":[{}]`, []string{"/paths/0 required"}},
		{`"paths":[{"exact":"/a"},{"exact":"/a"},{"template":"/o/{id}"},{"template":"/o/{order}"}]`, []string{"/paths/1/exact not_unique", "/paths/3/template not_unique"}},
		{`"strip_prefix":true,"paths":[{"prefix":"/a"},{"prefix":"/"}]`, nil},
		{`"strip_prefix":true,"paths":[{"prefix":"/a"},{"exact":"/b"}]`, []string{"/strip_prefix invalid_value"}},
		{`"strip_prefix":true,"paths":[{"prefix":"/a/"}]`, []string{"/strip_prefix invalid_value"}},
		{`"strip_prefix":true,"rewrite_path":"/x","paths":[{"prefix":"/a"}]`, []string{"/rewrite_path mutually_excluded"}},
		{`"rewrite_path":"/v2/{b}/{a}","paths":[{"template":"/{a}/{b}"}]`, nil},
		{`"rewrite_path":"/v2/{b}/{c}","paths":[{"template":"/{b}/{c}"},{"template":"/x/{b}"},{"exact":"/y"}]`, []string{"/rewrite_path invalid_value", "/rewrite_path invalid_value"}},
		{`"rewrite_path":"v2"`, []string{"/rewrite_path invalid_format"}},
		{`"rewrite_path":"/a/../b"`, []string{"/rewrite_path invalid_format"}},
		{`"headers":[{"name":"X-A","exact":"1"},{"name":"x-a","exact":"2"},{"name":"X-B","present":true}]`, nil},
		{`"headers":[{"name":"X-A","exact":"1"},{"name":"x-a","exact":"1"}]`, []string{"/headers/1 not_unique"}},
		{`"headers":[{"name":":path","exact":"1"},{"name":"a b","present":true},{"name":"Host","exact":"a"},{"name":"X","exact":"a\r\nb"},{"exact":"x"}]`, []string{
			"/headers/4/name required", "/headers/3/exact invalid_value",
			"/headers/0/name invalid_format", "/headers/1/name invalid_format", "/headers/2/name invalid_value",
		}},
		{`"query":[{"name":"a","exact":"1"},{"name":"A","exact":"1"},{"name":"a b","present":false}]`, nil},
		{`"query":[{"name":"a","exact":"1"},{"name":"a","exact":"1"},{"name":"a"}]`, []string{"/query/2 required", "/query/1 not_unique"}},
	}
	for _, tt := range tests {
		validated(t, "routes", route(tt.fields), tt.want...)
	}
}

func TestSettings(t *testing.T) {
	validated(t, "settings", `{"name":"settings","trusted_proxies":["10.0.0.0/8","fd00::/8","192.0.2.7/32","0.0.0.0/0"],"allowed_target_ranges":["127.0.0.0/8","::1/128"],"max_staleness":"10s"}`)
	validated(t, "settings", `{"name":"settings","max_staleness":"9.999s"}`, "/max_staleness out_of_range")
	validated(t, "settings", `{"name":"settings","max_staleness":"721h"}`, "/max_staleness out_of_range")
	validated(t, "settings", `{"name":"settings","path":{"dot_segments":"normalise","parameters":"refuse"},"connections":{"head_timeout":"1s","body_rate":0,"max_connections":0}}`)
	validated(t, "settings", `{"name":"settings","connections":{"head_timeout":"999ms","idle_timeout":"2h","body_rate":2000000,"head_bytes":1023,"start_line_bytes":255,"fields":15}}`,
		"/connections/head_timeout out_of_range", "/connections/idle_timeout out_of_range", "/connections/body_rate out_of_range",
		"/connections/head_bytes out_of_range", "/connections/start_line_bytes out_of_range", "/connections/fields out_of_range")
	validated(t, "settings", `{"name":"settings","trusted_proxies":["10.0.0.1/8","10.0.0.1","x","10.0.0.0/33","::ffff:10.0.0.0/104","FD00::/8","fe80::1%eth0/64","10.0.0.0/8","10.0.0.0/8"]}`,
		"/trusted_proxies/8 not_unique", "/trusted_proxies/0 invalid_format", "/trusted_proxies/1 invalid_format", "/trusted_proxies/2 invalid_format",
		"/trusted_proxies/3 invalid_format", "/trusted_proxies/4 invalid_format", "/trusted_proxies/5 invalid_format", "/trusted_proxies/6 invalid_format")
}

func TestPolicies(t *testing.T) {
	validated(t, "policies", `{"name":"a","kind":"api-key","config":{},"attached_to":[{"environment":true},{"service":"s"},{"route":"s"}],"mode":"shadow","position":-5}`)
	validated(t, "policies", `{"name":"a","kind":"rate-limit","config":{"by":[{"key":true},{"key":true}],"windows":[],"scope":"fleet"},"position":9999}`,
		"/position out_of_range", "/config/windows too_few", "/config/by/1/key not_unique")
	validated(t, "policies", `{"name":"a","kind":"api-key","config":{},"attached_to":[{"service":"s"},{},{"service":"s"},{"environment":true},{"environment":true}]}`,
		"/attached_to/1 required", "/attached_to/2 not_unique", "/attached_to/4 not_unique")
	validated(t, "policies", `{"name":"a","kind":"no-such"}`, "/config required", "/kind unknown_kind")
}

func TestAPolicysConfigMustBeThatOfItsKind(t *testing.T) {
	policies := typeOf(t, "policies")
	for name, p := range map[string]*configv1.Policy{
		"another kind's": {Name: "a", Kind: "api-key", Config: packed(t, &policyv1.RateLimit{})},
		"broken":         {Name: "a", Kind: "api-key", Config: &anypb.Any{TypeUrl: "type.googleapis.com/sallyport.policy.v1.ApiKey", Value: []byte{255}}},
		"unknown fields": {Name: "a", Kind: "api-key", Config: &anypb.Any{TypeUrl: "type.googleapis.com/sallyport.policy.v1.ApiKey", Value: []byte{0xf8, 0xff, 0x01, 1}}},
	} {
		if got := brief(policies.Validate(p)); len(got) != 1 || got[0] != "/config invalid_value" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAnObjectThatIsRightPassesWithItsID(t *testing.T) {
	validated(t, "services", `{"id":"svc_01arz3ndektsv4rrffq69g5fav","name":"orders","upstream":{"targets":[{"address":"orders.internal:8080"}]}}`)
}
