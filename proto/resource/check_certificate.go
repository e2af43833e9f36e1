package resource

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sallyport/sallyport/proto/certificate"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// maxChain is how long a chain may be; longer ones are told of by their field's rule, and not read.
const maxChain = 65536

const certificateHosts = `"api.example.com", "*.example.com"`

var errHostIsAddress = errors.New("clients name no addresses when they ask for a certificate (RFC 6066 section 3); for those who name no host set default")

// checkCertificate reads a certificate's chain, and holds its hosts against it. What was given as the chain is never quoted: it may
// hold a private key.
func checkCertificate(m *configv1.Certificate) []problem.Violation {
	violations, hosts := checkCertificateHosts(m.GetHosts())
	if m.GetChain() == "" || len(m.GetChain()) > maxChain {
		return violations // told of by their rules
	}
	chain, err := certificate.Parse(m.GetChain())
	if err == nil && (len(m.GetHosts()) > 0 || m.GetDefault()) {
		err = chain.CheckServer()
	}
	if err != nil {
		return append(violations, problem.Violation{
			Pointer: "/chain", Code: problem.ViolationInvalidFormat, Detail: err.Error(),
			Allowed: "certificates in PEM, the one of the hosts first, each issued by the next",
		})
	}
	for _, i := range hosts {
		if host := m.GetHosts()[i]; !chain.Covers(host) {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("hosts", i), Code: problem.ViolationInvalidValue, Given: form.Given(host),
				Detail: "the certificate isn't valid for this host", Allowed: shownNames(chain),
			})
		}
	}
	return violations
}

// checkCertificateHosts returns what is wrong with hosts, and the places of those that nothing is.
func checkCertificateHosts(hosts []string) (violations []problem.Violation, right []int) {
	for i, host := range hosts {
		if host == "" {
			continue // too short: told of by its rule
		}
		err := checkHostMatch(host)
		if _, isAddress := netip.ParseAddr(host); isAddress == nil {
			err = errHostIsAddress
		}
		if err == nil {
			right = append(right, i)
			continue
		}
		violations = append(violations, problem.Violation{
			Pointer: problem.Pointer("hosts", i), Code: problem.ViolationInvalidFormat, Detail: err.Error(),
			Given: form.Given(host), Allowed: certificateHosts,
		})
	}
	return violations, right
}

// maxShownNames bounds the names of a certificate that a violation lists.
const maxShownNames = 20

func shownNames(chain *certificate.Chain) string {
	names := chain.Names()
	if len(names) == 0 {
		return "a certificate with subject alternative names: this one has none"
	}
	more := ""
	if len(names) > maxShownNames {
		more, names = fmt.Sprintf(" and %d more", len(names)-maxShownNames), names[:maxShownNames]
	}
	return strings.Join(names, ", ") + more
}
