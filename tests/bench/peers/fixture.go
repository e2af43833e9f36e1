package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Fixture is what all gateways of a measurement have in common.
type Fixture struct {
	// Dir takes configurations and logs.
	Dir string
	// Origin is the service behind them, host:port.
	Origin string
	// Keys are the API keys that are let in.
	Keys []string
	// Routes is how many the routed site has.
	Routes int
	// Certificate of the secure site.
	Certificate Certificate
	// Pinned is the command that runs another one on these processors alone.
	Pinned func(processors []int) []string
	// Relay is the command of the TCP relay, before its listening address and its target.
	Relay []string
}

// routes numbers the routes.
func (f *Fixture) routes() (all []int) {
	for n := range f.Routes {
		all = append(all, n)
	}
	return all
}

// Certificate is a certificate and its private key, in PEM.
type Certificate struct{ Chain, Key string }

const certificateLife = 24 * time.Hour

// NewCertificate makes one that signs itself: ECDSA on P-256, as most of the web has.
func NewCertificate(host string) (Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a private key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, fmt.Errorf("make a private key: %w", err)
	}
	return Certificate{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		Key:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}
