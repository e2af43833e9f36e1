package effects

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
)

func TestHostsThatClientsAreAnsweredForOverTLSComeAndGo(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	first, second := authority.Issue(t, "a.test", "b.test", "*.c.test").Chain, authority.Issue(t, "a.test", "b.test", "*.c.test").Chain
	certificate := func(name, chain string, standard bool, hosts ...string) string {
		text, err := json.Marshal(map[string]any{"name": name, "chain": chain, "private_key": "sec_01k00000000000000000000001", "hosts": hosts, "default": standard})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	all := func(of ...string) string { return `{"certificates":[` + strings.Join(of, ",") + `]}` }
	x := certificate("x", first, false, "a.test", "*.c.test")
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"the first comes":                    {`{}`, all(x), []string{"info tls_hosts_answered Over TLS clients are answered for a.test, *.c.test."}},
		"it goes":                            {all(x), `{}`, []string{"danger tls_hosts_refused Over TLS nobody is answered any more for a.test, *.c.test."}},
		"a host moves":                       {all(x), all(certificate("x", first, false, "*.c.test"), certificate("y", first, false, "a.test")), nil},
		"a host goes that a wildcard covers": {all(certificate("x", first, false, "*.c.test"), certificate("y", authority.Issue(t, "d.c.test").Chain, false, "d.c.test")), all(certificate("x", first, false, "*.c.test")), nil},
		"a default goes":                     {all(certificate("x", first, true)), all(certificate("x", first, false)), []string{"danger tls_hosts_refused Over TLS nobody is answered any more for whoever names no host, or one without a certificate."}},
		"one takes another's place":          {all(x), all(certificate("x", second, false, "a.test", "*.c.test")), []string{`attention certificate_replaced The certificate "x" is replaced; open connections go on.`}},
	} {
		var got []string
		for _, e := range between(t, c.before, c.after) {
			got = append(got, fmt.Sprintf("%s %s %s", e.Severity, e.Code, e.Sentence))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
