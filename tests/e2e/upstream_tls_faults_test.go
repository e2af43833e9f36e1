package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A service is spoken to over TLS only where it is who it must be; in clear, or as somebody else, it gets no request.
func TestAServiceWhoseTLSFailsGetsNoRequest(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("over " + r.Proto)) }))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that must fail
	secure.StartTLS()
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
