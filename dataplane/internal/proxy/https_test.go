package proxy

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// secured is an environment whose settings are given, with a route that is open to POST.
func secured(t *testing.T, settings string) (*edge, *reading) {
	t.Helper()
	upstream := new(reading)
	e := newEdge(t, upstream)
	configured := strings.Replace(open, `, %s`, "", 1)
	e.configure(t, strings.TrimSuffix(strings.TrimSpace(configured), "}")+`, "settings": [{"name": "settings", `+settings+`}]}`)
	return e, upstream
}

// askOver takes a POST over a scheme through the proxy.
func (e *edge) askOver(scheme string, r edgetest.Request) (status int, header *pipeline.Header) {
	ex := e.proxy.Acquire()
	asked := e.Exchange(r)
	ex.Request, ex.Client = asked.Request, asked.Client
	ex.Request.Method, ex.Request.Scheme = "POST", scheme
	e.proxy.Serve(ex)
	status, kept := ex.Response.Status, new(pipeline.Header)
	for _, f := range ex.Response.Header.Fields() {
		kept.Add(strings.Clone(f.Name), strings.Clone(f.Value))
	}
	e.proxy.Finish(ex)
	return status, kept
}

func TestPlainRequestsAreSentToHTTPSAndReachNoRoute(t *testing.T) {
	e, upstream := secured(t, `"tls": {"redirect_http": true}`)
	for target, want := range map[string]string{
		"/a":                   "https://test/a",
		"/a/b%20c?x=1&y=%20":   "https://test/a/b%20c?x=1&y=%20",
		"/nothing/is/here?q":   "https://test/nothing/is/here?q",
		"//evil.example/x":     "",
		"/x?next=//evil.test/": "https://test/x?next=//evil.test/",
	} {
		status, header := e.askOver("http", edgetest.Get(target))
		got := header.Get("Location")
		if want == "" {
			if strings.HasPrefix(strings.TrimPrefix(got, "https://test"), "//") || got == "" && status < 400 {
				t.Errorf("%s: %d %q", target, status, got)
			}
			continue
		}
		if status != 308 || got != want || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q, want %q", target, status, got, want)
		}
	}
	if upstream.asked != 0 {
		t.Errorf("the service was asked %d times", upstream.asked)
	}
	if status, _ := e.askOver("https", edgetest.Get("/a")); status != 200 || upstream.asked != 1 {
		t.Errorf("over https: %d, asked %d", status, upstream.asked)
	}
}

func TestARedirectGoesToThePortThatIsConfiguredAndToNoHostThatIsNone(t *testing.T) {
	e, _ := secured(t, `"tls": {"redirect_http": true, "redirect_port": 8443}`)
	for host, want := range map[string]string{
		"api.test": "https://api.test:8443/", "192.0.2.1": "https://192.0.2.1:8443/", "2001:db8::1": "https://[2001:db8::1]:8443/",
		"a@b": "", "a/b": "", "a:b": "", ".test": "", "a\\b": "",
	} {
		status, header := e.askOver("http", edgetest.Request{Host: host})
		if got := header.Get("Location"); got != want || want == "" && status != 400 {
			t.Errorf("%s: %d %q, want %q", host, status, got, want)
		}
	}
}

func TestATrustedProxyAloneSaysThatItsClientSpokeTLS(t *testing.T) {
	e, _ := secured(t, `"trusted_proxies": ["192.0.2.0/24"], "tls": {"redirect_http": true, "hsts": {}}`)
	for _, c := range []struct {
		peer, proto string
		status      int
	}{
		{"192.0.2.1", "https", 200},
		{"192.0.2.1", "http, HTTPS", 200},
		{"192.0.2.1", "https, http", 308},
		{"192.0.2.1", "", 308},
		{"198.51.100.1", "https", 308},
	} {
		status, header := e.askOver("http", edgetest.Request{Target: "/a", Address: c.peer, Header: []pipeline.Field{{Name: "X-Forwarded-Proto", Value: c.proto}}})
		told := header.Get("Strict-Transport-Security") != ""
		if status != c.status || told != (c.status == 200) {
			t.Errorf("%+v: %d, told %v", c, status, told)
		}
	}
}

func TestBrowsersAreToldToKeepToHTTPSOverHTTPSAloneInRefusalsToo(t *testing.T) {
	e, _ := secured(t, `"tls": {"hsts": {"include_subdomains": true, "preload": true}}`)
	const want = "max-age=31536000; includeSubDomains; preload"
	for _, target := range []string{"/a", "/nothing?here"} {
		for scheme, value := range map[string]string{"https": want, "http": ""} {
			if _, header := e.askOver(scheme, edgetest.Request{Target: target, Host: map[bool]string{true: "test", false: "unknown"}[target == "/a"]}); header.Get("Strict-Transport-Security") != value {
				t.Errorf("%s %s: %q", scheme, target, header.Get("Strict-Transport-Security"))
			}
		}
	}
	other, _ := secured(t, `"trusted_proxies": []`)
	if _, header := other.askOver("https", edgetest.Request{}); header.Get("Strict-Transport-Security") != "" {
		t.Error("told although nobody asked for it")
	}
}

func TestARefusalByAddressComesBeforeTheRedirect(t *testing.T) {
	e, _ := secured(t, `"tls": {"redirect_http": true}`)
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_AddressRange{AddressRange: "192.0.2.0/24"}})
	if status, header := e.askOver("http", edgetest.Request{}); status != 403 || header.Get("Location") != "" {
		t.Errorf("%d %q", status, header.Get("Location"))
	}
}
