package enroll

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proto/id"
)

// SPIFFE ids. Nodes and the control plane know each other by them.
const (
	trustDomain = "spiffe://sallyport"
	controlID   = trustDomain + "/control"
	busID       = trustDomain + "/bus"
)

// Prefixes of the ids that an answer names.
const (
	nodePrefix        = id.Node
	environmentPrefix = id.Environment
)

// nodeID returns a node's SPIFFE id.
func nodeID(environment, node string) string {
	return trustDomain + "/env/" + environment + "/node/" + node
}

// checkNames checks the ids' form, and that the certificate says the same.
func (p *papers) checkNames() error {
	if _, err := id.Parse(nodePrefix, p.record.Node); err != nil {
		return fmt.Errorf("the node's id: %w", err)
	}
	if _, err := id.Parse(environmentPrefix, p.record.Environment); err != nil {
		return fmt.Errorf("the environment's id: %w", err)
	}
	return checkID(p.certificate.Leaf, nodeID(p.record.Environment, p.record.Node))
}

var errTwoReadings = errors.New("a certificate must hold exactly one URI (SPIFFE X.509-SVID, section 2)")

// checkID tells whether a certificate is of one with one of these SPIFFE ids.
func checkID(certificate *x509.Certificate, want ...string) error {
	if len(certificate.URIs) != 1 {
		return errTwoReadings
	}
	if got := certificate.URIs[0].String(); !slices.Contains(want, got) {
		return fmt.Errorf("the certificate is of %q, want %q", got, want)
	}
	return nil
}
