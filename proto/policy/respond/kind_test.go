package respond

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestAnAnswerComesLastUnlessItIsForAnybody(t *testing.T) {
	if got := Kind.Phase(&policyv1.Respond{}); got != policy.Transform {
		t.Errorf("runs in %s", got)
	}
	if got := Kind.Phase(&policyv1.Respond{BeforeAuthentication: true}); got != policy.Guard {
		t.Errorf("before authentication runs in %s", got)
	}
}

func TestALocationIsAURLOrAPathAndItsHostIsLiteral(t *testing.T) {
	for _, text := range []string{
		"https://new.example.com", "http://new.example.com:8080/", "https://new.example.com{path}", "https://new.example.com{path}?{query}",
		"https://new.example.com/a{path}?from={host}&{query}", "https://new.example.com?x={param.id}", "https://[2001:db8::7]:8443/x", "https://192.0.2.7/x",
		"/", "/new", "/v2{path}", "/v2/orders/{param.id}", "/?{query}", "/a//b", "https://new.example.com//a", "/a%20b",
	} {
		if _, err := ParseLocation(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"", "new", "{path}", "{host}", "//evil.example", "/\\evil.example", "/{path}", "/{param.x}", "\\\\evil.example", "javascript:alert(1)", "ftp://a.example",
		"https:", "https://", "https:///x", "https://{host}{path}", "https://{host}", "https://{param.x}.example.com", "https://a.example.com{param.x}",
		"https://a.example.com{host}", "https://a.{param.x}.com", "https://a.example.com:{param.x}", "https://a.example.com:/", "https://a.example.com:123456/",
		"https://user@a.example.com/", "https://a.example.com@evil.example/", "https://a.example.com\\@evil.example/", "https://a.example.com#x", "/a#{path}",
		"https://a.example.com/\r\nSet-Cookie: x=y", "/a b", "/a\tb", "/ä", "/a\x00", "/{query}", "https://a.example.com/{query}", "/a/{nothing}", "/a/{param.}",
		"/a/{param.x", "/a/x}", "/a/{{path}}", "/a/{param.x/y}", "/a/{PATH}", "/a/../b", "/./a", "/a/%2e%2E/b", "https://[::1/x", "https://[zz]/",
		"/a\"b", "/a<b", "HTTPS://a.example.com",
	} {
		if parts, err := ParseLocation(text); err == nil {
			t.Errorf("%q is read as %+v", text, parts)
		}
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.Respond{
		nil,
		{},
		{Answer: &policyv1.Respond_Fixed{}},
		{Answer: &policyv1.Respond_Redirect{}},
		{Answer: &policyv1.Respond_Maintenance{}},
		{Answer: &policyv1.Respond_Fixed{Fixed: &policyv1.FixedAnswer{Headers: []*policyv1.AnswerHeader{nil, {}}}}},
		{Answer: &policyv1.Respond_Maintenance{Maintenance: &policyv1.Maintenance{Exempt: []string{"", ""}}}},
	} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}

func TestNoAnswerSetsFieldsOfTheConnection(t *testing.T) {
	for _, name := range []string{"Connection", "TRANSFER-ENCODING", "content-length", "X-Request-Id", "X-Sallyport-Consumer", "Content-Type"} {
		if !Reserved(name) {
			t.Errorf("%s may be set", name)
		}
	}
	if Reserved("Cache-Control") || Reserved("Set-Cookie") {
		t.Error("harmless fields are refused")
	}
}
