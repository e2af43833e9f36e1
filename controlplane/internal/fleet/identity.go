package fleet

import (
	"crypto/x509"
	"errors"
	"net/url"
	"strings"

	"github.com/sallyport/sallyport/proto/id"
)

// ControlURI is the SPIFFE id in every certificate that the control plane serves with: nodes check
// it instead of a host name.
const ControlURI = "spiffe://" + trustDomain + "/control"

const trustDomain = "sallyport"

// Prefixes of the ids in this package.
const (
	environmentPrefix = id.Environment
	nodePrefix        = id.Node
	joinTokenPrefix   = id.JoinToken
)

// ErrNoIdentity says that a certificate names no node.
var ErrNoIdentity = errors.New("the certificate names no node")

// Identity names a node and the one environment that it may read.
type Identity struct {
	Environment string // "env_…"
	Node        string // "node_…"
}

// URI returns the node's SPIFFE id, spiffe://sallyport/env/<environment>/node/<node>.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: "/env/" + i.Environment + "/node/" + i.Node}
}

// ParseIdentity reads what URI wrote, and nothing else. Its errors wrap ErrNoIdentity.
func ParseIdentity(uri string) (Identity, error) {
	rest, ok := strings.CutPrefix(uri, "spiffe://"+trustDomain+"/env/")
	if !ok {
		return Identity{}, ErrNoIdentity
	}
	environment, node, ok := strings.Cut(rest, "/node/")
	if !ok {
		return Identity{}, ErrNoIdentity
	}
	if _, err := id.Parse(environmentPrefix, environment); err != nil {
		return Identity{}, errors.Join(ErrNoIdentity, err)
	}
	if _, err := id.Parse(nodePrefix, node); err != nil {
		return Identity{}, errors.Join(ErrNoIdentity, err)
	}
	return Identity{Environment: environment, Node: node}, nil
}

// IdentityOf returns the node that a verified certificate names. A certificate with more than one
// URI is refused: it could be read in two ways (SPIFFE X.509-SVID §2).
func IdentityOf(certificate *x509.Certificate) (Identity, error) {
	if len(certificate.URIs) != 1 {
		return Identity{}, ErrNoIdentity
	}
	return ParseIdentity(certificate.URIs[0].String())
}
