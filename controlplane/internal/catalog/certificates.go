package catalog

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/proto/certificate"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkCertificates refuses certificates for a host that another one has, and a second default: which one clients are answered
// with must not be left to chance.
func (c *Candidate) checkCertificates() {
	changed := false
	for _, s := range c.order {
		changed = changed || s.ref.collection == Certificates && s.after != s.before && !s.broken
	}
	if !changed {
		return
	}
	hosts, standard := make(map[string]*Object), (*Object)(nil)
	for _, o := range c.next.Certificates() { // what the batch changed comes last
		m := o.Message.(*configv1.Certificate)
		for i, host := range m.GetHosts() {
			other, taken := hosts[host]
			if taken {
				c.refuseCertificate(o, problem.Pointer("hosts", i), host, fmt.Sprintf("is a host of the certificate %s already", c.called(other)))
				continue
			}
			hosts[host] = o
		}
		if !m.GetDefault() {
			continue
		}
		if standard != nil {
			c.refuseCertificate(o, "/default", "true", fmt.Sprintf("the certificate %s is the default already", c.called(standard)))
			continue
		}
		standard = o
	}
}

func (c *Candidate) refuseCertificate(o *Object, pointer, given, detail string) {
	c.refusals.Invalid(c.Origin(o.Collection, o.ID), problem.Violation{
		Pointer: pointer, Code: problem.ViolationNotUnique, Detail: detail, Given: form.Given(given),
	})
}

// soon is how long before its end the author of a certificate is warned of it.
const soon = 21 * 24 * time.Hour

// certificateWarnings tell what time makes of a certificate. It is no reason to refuse one: clients decide, and a restored
// environment must come back.
func certificateWarnings(m *configv1.Certificate, now time.Time) []string {
	chain, err := certificate.Parse(m.GetChain())
	if err != nil {
		return nil // refused
	}
	var warnings []string
	switch begins, ends := chain.Leaf.NotBefore, chain.Leaf.NotAfter; {
	case now.After(ends):
		warnings = append(warnings, fmt.Sprintf("The certificate %q ended on %s: clients refuse it.", m.GetName(), ends.UTC().Format(time.RFC3339)))
	case now.Before(begins):
		warnings = append(warnings, fmt.Sprintf("The certificate %q begins on %s: until then clients refuse it.", m.GetName(), begins.UTC().Format(time.RFC3339)))
	case now.Add(soon).After(ends):
		warnings = append(warnings, fmt.Sprintf("The certificate %q ends on %s.", m.GetName(), ends.UTC().Format(time.RFC3339)))
	}
	if len(m.GetHosts()) == 0 && !m.GetDefault() {
		warnings = append(warnings, fmt.Sprintf("The certificate %q has no hosts and isn't the default: no client is answered with it.", m.GetName()))
	}
	return warnings
}
