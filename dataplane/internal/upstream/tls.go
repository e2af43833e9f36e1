package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/id"
)

// sessionsKept are those of a target that may be taken up again, which saves the costly half of a handshake.
const sessionsKept = 64

var (
	errNoAuthority   = errors.New("tls.ca_certificates: there is no certificate in it")
	errNoCertificate = errors.New("this node has no certificates to show")
)

// newTLS says how a target is spoken to in private; nil: it isn't. There is no way to leave out the verification.
func newTLS(spec snapshot.TLS, host string, certificate func(id.ID) (*tls.Certificate, error)) (*tls.Config, error) {
	if !spec.On {
		return nil, nil //nolint:nilnil // in plain
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: spec.ServerName, NextProtos: []string{"http/1.1"}}
	if config.ServerName == "" {
		config.ServerName = strings.TrimSuffix(host, ".")
	}
	if spec.CACertificates != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(spec.CACertificates)) {
			return nil, errNoAuthority
		}
	}
	if spec.ClientCertificate.IsZero() {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsKept)
	} else { // a session that is taken up again would go on under a certificate that another has replaced
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if certificate == nil {
				return nil, errNoCertificate
			}
			shown, err := certificate(spec.ClientCertificate)
			if err != nil {
				return nil, fmt.Errorf("client certificate: %w", err)
			}
			return shown, nil
		}
	}
	return config, nil
}

// patientWire is the socket below TLS. While the connection is looked over, reads of it don't wait.
type patientWire struct {
	*net.TCPConn

	conn *conn
}

// Read implements net.Conn.
func (w *patientWire) Read(p []byte) (int, error) {
	if !w.conn.looking {
		return w.TCPConn.Read(p) //nolint:wrapcheck // net's own words
	}
	return w.conn.readNow(p)
}

// nothingError is what reading without waiting finds where nothing has come. To TLS it is a passed deadline: the connection stays good.
type nothingError struct{}

func (nothingError) Error() string   { return "nothing has come" }
func (nothingError) Timeout() bool   { return true }
func (nothingError) Temporary() bool { return true }
