package e2e

import (
<<<<<<< HEAD
	"bytes"
	"encoding/json"
	"encoding/pem"
=======
	"crypto/tls"
	"io"
>>>>>>> issue6/upstream
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

<<<<<<< HEAD
=======
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
>>>>>>> issue6/upstream
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

<<<<<<< HEAD
// A service is spoken to over TLS only where it is who it must be; in clear, or as somebody else, it gets no request.
func TestAServiceWhoseTLSFailsGetsNoRequest(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("over " + r.Proto)) }))
	t.Cleanup(secure.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	plain := harness.NewUpstream(t, nil)
	mute := harness.NewWireUpstream(t, func(w *harness.Wire) {
		_, _ = w.In.ReadByte() // of the client's hello
		w.Reset()
	})
	for name, tt := range map[string]struct {
		address string
		tls     map[string]any
		status  int
		code    string
	}{
		"trusted":       {strings.TrimPrefix(secure.URL, "https://"), map[string]any{"ca_certificates": ca, "server_name": "example.com"}, http.StatusOK, ""},
		"another-name":  {strings.TrimPrefix(secure.URL, "https://"), map[string]any{"ca_certificates": ca, "server_name": "other.test"}, http.StatusBadGateway, "upstream_unreachable"},
		"another-ca":    {strings.TrimPrefix(secure.URL, "https://"), map[string]any{"server_name": "example.com"}, http.StatusBadGateway, "upstream_unreachable"},
		"no-tls":        {plain.Address, map[string]any{"ca_certificates": ca}, http.StatusBadGateway, "upstream_unreachable"},
		"breaks-it-off": {mute, map[string]any{"ca_certificates": ca}, http.StatusBadGateway, "upstream_unreachable"},
	} {
		service, err := json.Marshal(map[string]any{
			"name": s.Name(name), "upstream": map[string]any{"targets": []any{map[string]any{"address": tt.address}}, "tls": tt.tls},
		})
		if err != nil {
			t.Fatal(err)
		}
		made, err := s.API.CreateServiceWithBodyWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateServiceParams{Wait: s.Wait()}, "application/json", bytes.NewReader(service))
		s.Must(made, err)
		s.Applied(made.HTTPResponse)
		s.Route(sallyport.Route{Name: s.Name(name), Service: s.Name(name), Hosts: []string{name + "." + s.Host}, Paths: harness.Below("/"), Public: true})
		for range 3 { // the second and third time too
			answer := s.SendTo(s.Edges()[0], http.MethodGet, "/", name+"."+s.Host, nil)
			if answer.Status != tt.status || answer.Code() != tt.code {
				t.Errorf("%s: %s, want %d %s", name, answer, tt.status, tt.code)
			}
		}
	}
	if reached := plain.Requests(); len(reached) != 0 {
		t.Errorf("in clear came %+v", reached)
	}
}
=======
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
>>>>>>> issue6/upstream
