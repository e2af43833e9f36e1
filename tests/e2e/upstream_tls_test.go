package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A service that lets nobody in without a certificate: the gateway knows whom it speaks to, and shows who it is.
func TestAServiceIsSpokenToOverTLSFromBothSides(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	authority, stranger := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	address := mutual(t, authority, "orders.internal")
	shown := authority.Issue(t, "gateway.internal")
	secret, err := s.API.CreateSecretWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Secret{Name: s.Name("key"), Value: shown.Key})
	s.Must(secret, err)
	made, err := s.API.CreateCertificateWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Certificate{
		Name: s.Name("gateway"), Chain: shown.Chain, PrivateKey: secret.JSON201.Name,
	})
	s.Must(made, err)
	route := func(path string, settings *sallyport.UpstreamTLS) {
		service, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
			Name: s.Name(path), Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: address}}, TLS: settings},
		})
		s.Must(service, err)
		s.Route(sallyport.Route{Name: s.Name(path), Service: service.JSON201.Name, Paths: harness.Below("/" + path), Public: true})
	}
	right := sallyport.UpstreamTLS{ServerName: "orders.internal", CaCertificates: authority.PEM(), ClientCertificate: made.JSON201.Name}
	route("both", &right)
	nameless, misnamed, misled := right, right, right
	nameless.ClientCertificate, misnamed.ServerName, misled.CaCertificates = "", "billing.internal", stranger.PEM()
	route("nameless", &nameless)
	route("misnamed", &misnamed)
	route("misled", &misled)
	route("system", &sallyport.UpstreamTLS{})
	route("plain", nil)

	for range 3 {
		for _, edge := range s.Edges() {
			if answer := s.Expect(edge, "/both", nil, http.StatusOK, ""); string(answer.Body) != "gateway.internal" {
				t.Errorf("the service saw %q", answer.Body)
			}
		}
	}
	for _, path := range []string{"/nameless", "/misnamed", "/misled", "/system"} {
		s.ExpectAll(path, nil, http.StatusBadGateway, "upstream_unreachable")
	}
	for _, edge := range s.Edges() {
		if answer := s.Send(edge, http.MethodGet, "/plain", nil); strings.Contains(string(answer.Body), "gateway.internal") {
			t.Errorf("a service over TLS answered in plain: %s", answer)
		}
	}
}

// mutual is a service that answers, to those alone whom the authority vouches for, with their names.
func mutual(t *testing.T, authority *certificatetest.Authority, name string) (address string) {
	t.Helper()
	leaf := authority.Issue(t, name)
	own, err := tls.X509KeyPair([]byte(leaf.Chain), []byte(leaf.Key))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].DNSNames[0])
		}
	}))
	server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
