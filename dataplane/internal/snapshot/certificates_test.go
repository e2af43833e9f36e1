package snapshot_test

import (
	"crypto/tls"
	"encoding/json"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
)

// certificate is a certificate's text.
func certificate(t *testing.T, name string, leaf certificatetest.Leaf, standard bool, hosts ...string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"name": name, "chain": leaf.Chain, "private_key": "sec_01k00000000000000000000001", "hosts": hosts, "default": standard})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCertificatesAreCompiledOnceAndByHost(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	leaf := authority.Issue(t, "a.test", "b.test", "*.c.test")
	e := configured(t, route("a", `"paths": [{"prefix": "/"}]`))
	if e.Holder.Load().Certificates.For("a.test") != nil {
		t.Error("a certificate that nobody wrote")
	}
	e.Configure(t, `{"certificates": [`+certificate(t, "x", leaf, false, "a.test")+`,`+certificate(t, "y", leaf, true, "*.c.test")+`]}`)
	first := e.Holder.Load().Certificates
	for host, want := range map[string]string{"a.test": "x", "z.c.test": "y", "b.test": "y", "": "y"} {
		if got := first.For(host); got == nil || got.Name != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	e.Configure(t, `{"routes": [`+route("b", `"paths": [{"prefix": "/b"}]`)+`]}`)
	if e.Holder.Load().Certificates != first {
		t.Error("a route made another set")
	}
	e.Configure(t, `{"certificates": [`+certificate(t, "x", leaf, false, "*.c.test")+`,`+certificate(t, "y", leaf, false, "a.test")+`]}`)
	if got := e.Holder.Load().Certificates; got.For("a.test").Name != "y" || got.For("z.c.test").Name != "x" || got.For("b.test") != nil {
		t.Error("hosts that changed hands in one revision are the wrong ones'")
	}
	kept := e.Holder.Load().Certificates.For("a.test")
	e.Configure(t, `{"certificates": [{"name": "x", "gone": true}]}`)
	if got := e.Holder.Load().Certificates; got.For("z.c.test") != nil || got.For("a.test") != kept {
		t.Error("one that went is there, or another was made anew, and with it what it keeps of its key")
	}
	for name, text := range map[string]string{
		"a host twice":  certificate(t, "z", leaf, false, "a.test"),
		"another chain": certificate(t, "z", certificatetest.Leaf{Chain: leaf.Key}, false),
	} {
		if codes := edgetest.Codes(e.Try(t, `{"certificates": [`+text+`]}`)); len(codes) != 1 {
			t.Errorf("%s: %v", name, codes)
		}
	}
}

func TestSettingsSayHowTLSIsSpoken(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"prefix": "/"}]`))
	if s := e.Holder.Load().Settings; s.HTTPS.Redirect || s.HTTPS.StrictTransportSecurity != "" || len(s.ProxyProtocolFrom.Prefixes()) != 0 {
		t.Errorf("without settings: %+v", s.HTTPS)
	}
	e.Configure(t, `{"settings": [{"name": "settings", "tls": {"min_version": "1.3", "redirect_http": true, "hsts": {"max_age": "60s"}}, "proxy_protocol_from": ["10.0.0.0/8"]}]}`)
	s := e.Holder.Load().Settings
	if s.TLS.MinVersion != tls.VersionTLS13 || !s.HTTPS.Redirect || s.HTTPS.Port != "" || s.HTTPS.StrictTransportSecurity != "max-age=60" || len(s.ProxyProtocolFrom.Prefixes()) != 1 {
		t.Errorf("%+v", s)
	}
	if codes := edgetest.Codes(e.Try(t, `{"settings": [{"name": "settings", "proxy_protocol_from": ["10.0.0.1"]}]}`)); !slices.Equal(codes, []string{"settings/proxy_protocol_from/0 invalid_format"}) {
		t.Errorf("%v", codes)
	}
}
