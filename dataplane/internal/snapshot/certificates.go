package snapshot

import (
	"crypto/tls"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// certificateObject is a certificate: its bytes, and what they were compiled to. While they stay, so does what it keeps of its key.
type certificateObject struct {
	data        []byte
	certificate *certificates.Certificate
}

func (c *compilation) certificates() map[string]*certificateObject {
	return own(&c.next.certificates, &c.ownCertificates)
}

func (c *compilation) putCertificate(s *Source, self id.ID, m *configv1.Certificate) error {
	made, err := certificates.New(self, m)
	if err != nil {
		return err
	}
	c.certificates()[s.ID] = &certificateObject{data: s.Data, certificate: made}
	return nil
}

// settleCertificates makes the set, if a certificate changed.
func (c *compilation) settleCertificates() {
	if !c.ownCertificates {
		return
	}
	var all []*certificates.Certificate
	for _, name := range slices.Sorted(maps.Keys(c.next.certificates)) {
		all = append(all, c.next.certificates[name].certificate)
	}
	set, err := certificates.NewSet(all)
	if err != nil {
		c.fail(certificatesCollection, "", "", problem.ViolationNotUnique, err.Error())
		return
	}
	c.next.Certificates = set
}

// HTTPS is what plain requests, and browsers, are told about TLS.
type HTTPS struct {
	// Redirect: plain requests are sent to https, and reach no route.
	Redirect bool
	// Port that they are sent to, as it is written behind a host: ":8443"; "" for 443.
	Port string
	// StrictTransportSecurity is the header's value (RFC 6797) in answers over TLS; "": none.
	StrictTransportSecurity string
}

const httpsPort = 443

var errVersion = errors.New("min_version: not one that this build speaks")

// speak takes over what the settings say about TLS to clients.
func (s *Settings) speak(m *configv1.ClientTls) error {
	switch m.GetMinVersion() {
	case "", "1.2":
		s.TLS.MinVersion = tls.VersionTLS12
	case "1.3":
		s.TLS.MinVersion = tls.VersionTLS13
	default:
		return errVersion
	}
	s.HTTPS.Redirect = m.GetRedirectHttp()
	if port := m.GetRedirectPort(); port != 0 && port != httpsPort {
		s.HTTPS.Port = ":" + strconv.FormatUint(uint64(port), 10)
	}
	if hsts := m.GetHsts(); hsts != nil {
		value := "max-age=" + strconv.FormatInt(int64(hsts.GetMaxAge().AsDuration().Seconds()), 10)
		if hsts.GetIncludeSubdomains() {
			value += "; includeSubDomains"
		}
		if hsts.GetPreload() {
			value += "; preload"
		}
		s.HTTPS.StrictTransportSecurity = value
	}
	return nil
}
