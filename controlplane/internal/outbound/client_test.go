package outbound

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestPlainHTTPIsForALoopbackAddressThatTheOperatorAllowed(t *testing.T) {
	allowed := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")})
	for text, want := range map[string]bool{
		"http://127.0.0.1:8080/keys": true, "https://issuer.example/keys": true,
		"http://localhost:8080/": false, "http://10.0.0.1/": false, "http://[::1]/": false, "http://issuer.example/": false, "http://user@127.0.0.1/": false, "ftp://127.0.0.1/": false,
	} {
		if err := allowed.CheckURL(text); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := NewGuard(nil).CheckURL("http://127.0.0.1:8080/"); err == nil {
		t.Error("plain http passes where nothing is allowed")
	}
}

func TestWhatALibraryFetchesIsHeldToTheGuardAndToASize(t *testing.T) {
	const most = 100
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			_, _ = io.WriteString(w, strings.Repeat("x", most))
		case "/away":
			http.Redirect(w, r, "http://issuer.example/", http.StatusFound)
		default:
			_, _ = io.WriteString(w, strings.Repeat("x", most+1))
		}
	}))
	defer server.Close()
	fetched := func(guard Guard, path string) (int, error) {
		client := NewClient(guard)
		defer client.transport.CloseIdleConnections()
		body, err := fetch(t.Context(), client.HTTP(most), server.URL+path)
		return len(body), err
	}
	allowed := NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if n, err := fetched(allowed, "/fits"); err != nil || n != most {
		t.Errorf("what fits: %d, %v", n, err)
	}
	if n, err := fetched(allowed, "/large"); !errors.Is(err, ErrTooLarge) || n > most {
		t.Errorf("what is too large: %d, %v", n, err)
	}
	if _, err := fetched(allowed, "/away"); err == nil {
		t.Error("a redirect leads to plain http elsewhere")
	}
	if _, err := fetched(NewGuard(nil), "/fits"); err == nil {
		t.Error("loopback is reached although nobody allowed it")
	}
}
