package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// BusURI is the SPIFFE id of a bus that isn't ours to run: whoever holds its key can pretend to be the bus, but
// not to be the control plane.
const BusURI = "spiffe://" + trustDomain + "/bus"

// IssueBus returns a certificate with its chain and its key, PEM, for a bus that runs elsewhere, and when it
// ends.
func (a *Authority) IssueBus(life time.Duration) (certificates, key []byte, ends time.Time, err error) {
	uri, err := url.Parse(BusURI)
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("make the bus's key: %w", err)
	}
	template := a.template(life, uri, x509.ExtKeyUsageServerAuth)
	template.Subject = pkix.Name{CommonName: "Sallyport bus"}
	by := a.current.Load()
	leaf, err := x509.CreateCertificate(rand.Reader, template, by.certificate, made.Public(), by.key)
	if err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("issue the bus's certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("marshal the bus's key: %w", err)
	}
	for _, der := range [][]byte{leaf, by.certificate.Raw} {
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return certificates, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), template.NotAfter, nil
}

// BusClientTLS is what the control plane connects to a bus elsewhere with: it must show a certificate of ours, for
// the bus or for the control plane that runs it. Host names don't count, since addresses change.
func (a *Authority) BusClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // #nosec G402 -- VerifyConnection checks the chain and the SPIFFE id
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			if len(leaf.URIs) != 1 || (leaf.URIs[0].String() != BusURI && leaf.URIs[0].String() != ControlURI) {
				return errNotTheBus
			}
			intermediates := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				intermediates.AddCert(certificate)
			}
			_, err := leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), Intermediates: intermediates, CurrentTime: a.now()})
			return err
		},
	}
}

var errNotTheBus = errors.New("the server's certificate is neither the bus's nor the control plane's")
