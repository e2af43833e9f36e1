package resource_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestCertificatesAreHeldAgainstTheirHostsAndNothingOfAChainIsQuoted(t *testing.T) {
	kind, _ := resource.ByCollection("certificates")
	authority := certificatetest.NewAuthority(t)
	leaf := authority.Issue(t, "api.test", "*.shop.test")
	clients := authority.IssueFor(t, certificatetest.NewKey(t), &x509.Certificate{DNSNames: []string{"api.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for name, c := range map[string]struct {
		chain    string
		hosts    []string
		standard bool
		want     string // pointers
	}{
		"its hosts":                          {leaf.Chain, []string{"api.test", "*.shop.test", "a.shop.test"}, false, ""},
		"no host":                            {leaf.Chain, nil, false, ""},
		"a host of another":                  {leaf.Chain, []string{"api.test", "other.test"}, false, "/hosts/1"},
		"a wildcard that it hasn't":          {leaf.Chain, []string{"*.api.test"}, false, "/hosts/0"},
		"an address":                         {leaf.Chain, []string{"192.0.2.1"}, false, "/hosts/0"},
		"a port":                             {leaf.Chain, []string{"api.test:443"}, false, "/hosts/0"},
		"capitals":                           {leaf.Chain, []string{"API.test"}, false, "/hosts/0"},
		"a wildcard within":                  {leaf.Chain, []string{"a.*.test"}, false, "/hosts/0"},
		"a host twice":                       {leaf.Chain, []string{"api.test", "api.test"}, false, "/hosts/1"},
		"no chain":                           {"", []string{"api.test"}, false, "/chain"},
		"a key in the chain":                 {leaf.Key + leaf.Chain, nil, false, "/chain"},
		"one for clients alone":              {clients.Chain, []string{"api.test"}, false, "/chain"},
		"one for clients as default":         {clients.Chain, nil, true, "/chain"},
		"one for clients, shown to services": {clients.Chain, nil, false, ""},
	} {
		violations := kind.Validate(&configv1.Certificate{Name: "c", Chain: c.chain, Hosts: c.hosts, Default: c.standard, PrivateKey: id.Secret + "_01k00000000000000000000001"})
		pointers := make([]string, len(violations))
		for i, v := range violations {
			pointers[i] = v.Pointer
			if strings.Contains(v.Given+v.Detail+v.Allowed, "BEGIN PRIVATE") || strings.Contains(v.Given, "BEGIN CERTIFICATE") {
				t.Errorf("%s: the violation quotes what was given: %+v", name, v)
			}
		}
		if got := strings.Join(pointers, " "); got != c.want {
			t.Errorf("%s: %q, want %q (%+v)", name, got, c.want, violations)
		}
	}
}

func TestPreloadAsksForAYearAndForSubdomains(t *testing.T) {
	kind, _ := resource.ByCollection("settings")
	for text, right := range map[string]bool{
		`{"preload": true, "include_subdomains": true}`: true, `{"preload": true}`: false, `{}`: true, `{"max_age": "0s"}`: true,
		`{"preload": true, "include_subdomains": true, "max_age": "31535999s"}`: false, `{"preload": true, "include_subdomains": true, "max_age": "31536000s"}`: true,
	} {
		m := kind.New()
		if violations := resource.Decode([]byte(`{"name": "settings", "tls": {"hsts": `+text+`}}`), m); len(violations) > 0 {
			t.Fatalf("%s: %+v", text, violations)
		}
		if violations := kind.Validate(m); (len(violations) == 0) != right || !right && violations[0].Pointer != "/tls/hsts/preload" {
			t.Errorf("%s: %+v", text, violations)
		}
	}
}
