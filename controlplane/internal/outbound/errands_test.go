package outbound

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errandTo returns errands that may reach a range, and the answer to asking a server by them.
func errandTo(t *testing.T, server *httptest.Server, allowed, path string, most int64) ([]byte, error) {
	t.Helper()
	errands := NewErrands(NewGuard([]netip.Prefix{netip.MustParsePrefix(allowed)}), most)
	var roots *x509.CertPool
	if server.Certificate() != nil {
		roots = x509.NewCertPool()
		roots.AddCert(server.Certificate())
	}
	client, done := errands.Client(roots)
	defer done()
	return errands.Get(t.Context(), client, server.URL+path)
}

func answering(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/away":
		http.Redirect(w, r, "https://127.0.0.2/", http.StatusFound)
	case "/away-by-port":
		http.Redirect(w, r, "https://"+r.Host+"0/", http.StatusFound)
	case "/down":
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	case "/on":
		http.Redirect(w, r, "/", http.StatusFound)
	case "/for-ever":
		http.Redirect(w, r, "/for-ever", http.StatusFound)
	case "/refused":
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "what is inside")
	case "/nowhere":
		w.WriteHeader(http.StatusFound)
	default:
		_, _ = w.Write(make([]byte, 1000))
	}
}

func TestAnErrandEndsWhereItWasSentTo(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(answering))
	defer server.Close()
	if body, err := errandTo(t, server, "127.0.0.0/8", "/on", 1000); err != nil || len(body) != 1000 {
		t.Errorf("a redirect within the origin: %d bytes, %v", len(body), err)
	}
	for path, want := range map[string]string{
		"/away": "somebody else", "/away-by-port": "somebody else", "/down": "somebody else", "/for-ever": "redirects", "/refused": "the status is 403", "/nowhere": "the status is 302",
	} {
		_, err := errandTo(t, server, "127.0.0.0/8", path, 1000)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "inside") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := errandTo(t, server, "127.0.0.0/8", "/", 999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an answer beyond its bound: %v", err)
	}
	if _, err := errandTo(t, server, "10.0.0.0/8", "/", 1000); !errors.Is(err, ErrAddressRefused) {
		t.Errorf("what isn't allowed: %v", err)
	}
}

func TestOnlyTheMachineItselfIsAskedInPlain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(answering))
	defer server.Close()
	if body, err := errandTo(t, server, "127.0.0.1/32", "/", 1000); err != nil || len(body) != 1000 {
		t.Errorf("loopback that is allowed: %v", err)
	}
	if _, err := errandTo(t, server, "10.0.0.0/8", "/", 1000); !errors.Is(err, ErrAddressRefused) {
		t.Errorf("loopback that isn't: %v", err)
	}
	client, done := NewErrands(NewGuard(nil), 10).Client(nil)
	defer done()
	for _, address := range []string{"http://issuer.example/", "http://10.0.0.1/", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "https://a:b@issuer.example/", "http://127.0.0.1.example/", "http://localhost/", "http://127.0.0.1/"} {
		if _, err := NewErrands(NewGuard(nil), 10).Get(t.Context(), client, address); err == nil || !strings.Contains(err.Error(), "isn't asked") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAServerIsBelievedByTheGivenAuthoritiesAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(answering))
	defer server.Close()
	errands := NewErrands(NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), 1000)
	client, done := errands.Client(x509.NewCertPool())
	defer done()
	var unknown x509.UnknownAuthorityError
	if _, err := errands.Get(t.Context(), client, server.URL); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}
