package effects

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// compareCertificate says which hosts clients are answered for over TLS, and with what.
func (c *comparison) compareCertificate(e catalog.Edit) {
	before, after := certificateOf(e.Before), certificateOf(e.After)
	var lost, gained []string
	for _, host := range asked(before) {
		if answeredWith(c.after, host) == "" {
			lost = append(lost, shownHost(host))
		}
	}
	for _, host := range asked(after) {
		if answeredWith(c.before, host) == "" {
			gained = append(gained, shownHost(host))
		}
	}
	if len(lost) > 0 {
		c.say(said{of("tls_hosts_refused", "tls_hosts_answered", policy.Danger, e.Object()), "Over TLS nobody is answered any more for " + some(lost) + "."})
	}
	if len(gained) > 0 {
		c.say(said{of("tls_hosts_answered", "tls_hosts_refused", policy.Info, e.Object()), "Over TLS clients are answered for " + some(gained) + "."})
	}
	if e.Before == nil || e.After == nil {
		return
	}
	if before.GetChain() != after.GetChain() || before.GetPrivateKey() != after.GetPrivateKey() {
		c.say(said{of("certificate_replaced", "", policy.Attention, e.Object()), fmt.Sprintf("The certificate %s is replaced; open connections go on.", literal(fmt.Sprintf("%q", e.After.Name)))})
	}
}

func certificateOf(o *catalog.Object) *configv1.Certificate {
	if o == nil {
		return nil
	}
	return o.Message.(*configv1.Certificate)
}

// asked returns what clients ask for when they are answered with a certificate: its hosts; "" is a client that names an unknown one.
func asked(m *configv1.Certificate) []string {
	hosts := slices.Clone(m.GetHosts())
	if m.GetDefault() {
		hosts = append(hosts, "")
	}
	return hosts
}

// answeredWith returns the id of the certificate that a client of a host is answered with; "": it is refused.
func answeredWith(head *catalog.Head, host string) string {
	var wild, standard string
	for _, o := range head.Certificates() {
		m := certificateOf(o)
		if host != "" && slices.Contains(m.GetHosts(), host) {
			return o.ID
		}
		if _, behind, ok := strings.Cut(host, "."); ok && slices.Contains(m.GetHosts(), "*."+behind) {
			wild = o.ID
		}
		if m.GetDefault() {
			standard = o.ID
		}
	}
	if wild != "" {
		return wild
	}
	return standard
}

func shownHost(host string) string {
	if host == "" {
		return "whoever names no host, or one without a certificate"
	}
	return host
}

// some lists the first few of many.
func some(texts []string) string {
	more := ""
	if n := len(texts) - maxDetails; n > 0 {
		more, texts = fmt.Sprintf(" and %d more", n), texts[:maxDetails]
	}
	return literal(strings.Join(texts, ", ")) + more
}
