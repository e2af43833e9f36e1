package enroll

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// TLS returns a client's configuration for the control plane: TLS 1.3, the node's certificate, and a server
// that one of the authorities vouches for as the control plane. The newest certificate and authorities are taken
// at each handshake.
func (i *Identity) TLS() *tls.Config { return i.tls(controlID) }

// BusTLS is TLS for the bus, which the control plane may run itself, or somebody else with a certificate of its
// own.
func (i *Identity) BusTLS() *tls.Config { return i.tls(controlID, busID) }

func (i *Identity) tls(servers ...string) *tls.Config {
	return clientTLS(func(state tls.ConnectionState) error {
		return verifyServer(state.PeerCertificates, i.papers().authorities, servers...)
	}, func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.papers().certificate, nil })
}

// anonymousTLS is TLS without the node's certificate: a server breaks off at the sight of one that has
// ended.
func (p *papers) anonymousTLS() *tls.Config {
	return clientTLS(func(state tls.ConnectionState) error {
		return verifyServer(state.PeerCertificates, p.authorities, controlID)
	}, nil)
}

// ErrNotTheAuthority is returned when the control plane's chain doesn't hold the authority that the
// join token names.
var ErrNotTheAuthority = errors.New("enroll: the control plane isn't the one that made the join token, or has retired the authority that it names: no certificate in its chain has that key; make a new join token")

// pinnedTLS returns the configuration of a client that knows its authority by hash alone. What it
// found is told to found, before anything is sent.
func pinnedTLS(authority [sha256.Size]byte, found func(*x509.Certificate, error)) *tls.Config {
	return clientTLS(func(state tls.ConnectionState) error {
		certificate, err := findAuthority(state.PeerCertificates, authority)
		if err == nil {
			err = verifyServer(state.PeerCertificates, []*x509.Certificate{certificate}, controlID)
		}
		found(certificate, err)
		return err
	}, nil)
}

// clientTLS is what both have in common. Go's own check is replaced, since it demands a host name;
// verify does all the rest of it, and runs at resumed handshakes too.
func clientTLS(verify func(tls.ConnectionState) error, certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		InsecureSkipVerify:   true, // #nosec G402 -- VerifyConnection checks the chain and the SPIFFE id
		VerifyConnection:     verify,
		GetClientCertificate: certificate,
	}
}

func findAuthority(chain []*x509.Certificate, hash [sha256.Size]byte) (*x509.Certificate, error) {
	for _, certificate := range chain {
		if certificate.IsCA && sha256.Sum256(certificate.RawSubjectPublicKeyInfo) == hash {
			return certificate, nil
		}
	}
	return nil, ErrNotTheAuthority
}

// verifyServer checks that a chain is one of the servers', by one of the authorities.
func verifyServer(chain, authorities []*x509.Certificate, servers ...string) error {
	if len(chain) == 0 {
		return errors.New("enroll: the control plane shows no certificate")
	}
	if err := verifyChain(chain, authorities, x509.ExtKeyUsageServerAuth); err != nil {
		return fmt.Errorf("enroll: the control plane's certificate: %w", err)
	}
	if err := checkID(chain[0], servers...); err != nil {
		return fmt.Errorf("enroll: not the control plane: %w", err)
	}
	return nil
}

func verifyChain(chain, authorities []*x509.Certificate, usage x509.ExtKeyUsage) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, authority := range authorities {
		roots.AddCert(authority)
	}
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: time.Now(),
	})
	return err
}
