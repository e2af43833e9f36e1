package resource

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkService checks the addresses of a service's targets.
func checkService(service *configv1.Service) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, target := range service.GetUpstream().GetTargets() {
		address := target.GetAddress()
		if address == "" {
			continue // required: told of by its rule
		}
		violation := problem.Violation{
			Pointer: problem.Pointer("upstream", "targets", i, "address"), Given: form.Given(address),
		}
		if err := checkAddress(address); err != nil {
			violation.Code, violation.Allowed = problem.ViolationInvalidFormat, addressWords
			violation.Detail = "must be host:port: " + err.Error()
			violations = append(violations, violation)
			continue
		}
		if j, twice := first[address]; twice {
			violation.Code = problem.ViolationNotUnique
			violation.Detail = fmt.Sprintf("is the address of target %d already; give it once, with the weight it should have", j)
			violations = append(violations, violation)
			continue
		}
		first[address] = i
	}
	return append(violations, checkUpstreamTLS(service.GetUpstream().GetTls())...)
}

const authoritiesWords = "one or more certificates in PEM, and nothing else"

var (
	errNotPEM         = errors.New("there is something else than certificates in PEM in it")
	errNotCertificate = errors.New("a block in PEM is no certificate; a private key never belongs here")
)

// checkUpstreamTLS checks whom targets are taken for. What was given as certificates is never quoted: it may hold a private key.
func checkUpstreamTLS(m *configv1.UpstreamTls) (violations []problem.Violation) {
	if name := m.GetServerName(); name != "" {
		if err := checkHost(name); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: "/upstream/tls/server_name", Code: problem.ViolationInvalidFormat, Given: form.Given(name),
				Allowed: `a host name: "orders.internal"`, Detail: err.Error(),
			})
		}
	}
	if text := m.GetCaCertificates(); text != "" {
		if err := checkAuthorities([]byte(text)); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: "/upstream/tls/ca_certificates", Code: problem.ViolationInvalidFormat, Allowed: authoritiesWords, Detail: err.Error(),
			})
		}
	}
	return violations
}

func checkAuthorities(text []byte) error {
	for first := true; first || len(bytes.TrimSpace(text)) > 0; first = false {
		block, rest := pem.Decode(text)
		if block == nil {
			return errNotPEM
		}
		if block.Type != "CERTIFICATE" {
			return errNotCertificate
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return errNotCertificate
		}
		text = rest
	}
	return nil
}
