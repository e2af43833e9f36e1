package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestNothingButPublicAddressesIsReached(t *testing.T) {
	guard := NewGuard(nil)
	for _, refused := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1",
		"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1",
		"169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "169.254.1.1", "fe80::1%eth0",
		"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "192.0.2.1",
	} {
		if err := guard.Check(netip.MustParseAddr(refused)); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: got %v, want it refused", refused, err)
		}
	}
	for _, reached := range []string{"93.184.216.34", "2606:2800::1"} {
		if err := guard.Check(netip.MustParseAddr(reached)); err != nil {
			t.Errorf("%s: %v", reached, err)
		}
	}
}

func TestTheOperatorOpensRangesAndAMetadataServiceByItsAddressAlone(t *testing.T) {
	guard := NewGuard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("169.254.0.0/16")})
	for address, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "169.254.1.1": true, "169.254.169.254": false} {
		if err := guard.Check(netip.MustParseAddr(address)); (err == nil) != want {
			t.Errorf("%s: got %v", address, err)
		}
	}
	exact := NewGuard([]netip.Prefix{netip.MustParsePrefix("169.254.169.254/32")})
	if err := exact.Check(netip.MustParseAddr("169.254.169.254")); err != nil {
		t.Error(err)
	}
}

func TestAnAddressMustHaveOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"https://issuer.example/keys":   "",
		"http://issuer.example/keys":    "https://",
		"file:///etc/passwd":            "https://",
		"gopher://issuer.example":       "https://",
		"//issuer.example":              "https://",
		"https://":                      "no host",
		"https://:443/":                 "no host",
		"https://user:pass@issuer/":     "no user",
		"https://issuer/#top":           "no fragment",
		"https://issuer.example/%zz":    "can't be read",
		"https://issuer.example:port/":  "can't be read",
		"https://[::1/":                 "can't be read",
		"https://issuer\x00.example/":   "can't be read",
		"https://issuer.example/\r\nX:": "can't be read",
	} {
		err := NewGuard(nil).CheckURL(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// Every spelling of the machine itself is refused, whoever resolves it: the guard sees what is connected to.
func TestNoSpellingOfLoopbackIsFetched(t *testing.T) {
	asked := make(chan string, 16)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(NewGuard(nil)).HTTP(100)
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := fetch(ctx, client, "https://"+host+":"+port+"/")
		cancel()
		if err == nil {
			t.Errorf("%s was fetched", host)
		}
	}
	if len(asked) != 0 {
		t.Errorf("the server was asked as %s", <-asked)
	}
}

func TestARedirectIsHeldToTheSame(t *testing.T) {
	asked := make(chan string, 16)
	inside := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	defer inside.Close()
	for name, target := range map[string]string{
		"to plain http": "http://issuer.example/", "to another scheme": "file:///etc/passwd", "with a password": "https://a:b@issuer.example/",
		"to what may not be reached": strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1), "to another port": inside.URL, "for ever": "/again",
	} {
		t.Run(name, func(t *testing.T) {
			outside := httptest.NewTLSServer(http.RedirectHandler(target, http.StatusFound))
			defer outside.Close()
			if _, err := fetch(t.Context(), trusting(outside).HTTP(100), outside.URL); err == nil || !strings.Contains(err.Error(), "redirect") {
				t.Fatalf("got %v", err)
			}
		})
	}
	if len(asked) != 0 {
		t.Errorf("a server was asked that only a redirect names: %s", <-asked)
	}
}

// A post tells one address: what is signed for it goes nowhere else, and an error says nothing of where it went.
func TestAPostIsToldToOneAddressAlone(t *testing.T) {
	heard := make(chan string, 4)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- r.URL.Path + " " + r.Header.Get("X-Signed") + " " + string(body)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write(make([]byte, 2*maxUnread))
	}))
	defer server.Close()
	client := trusting(server)
	defer client.transport.CloseIdleConnections()
	for path, want := range map[string]int{"/": http.StatusOK, "/away": http.StatusTemporaryRedirect} {
		status, err := client.Post(t.Context(), server.URL+path, http.Header{"X-Signed": {"yes"}}, []byte("told"))
		if err != nil || status != want {
			t.Errorf("%s: %d, %v", path, status, err)
		}
		if got := <-heard; got != path+" yes told" {
			t.Errorf("%s: heard %q", path, got)
		}
	}
	if len(heard) != 0 {
		t.Errorf("it was told again: %s", <-heard)
	}
	for _, address := range []string{"http://hook.example/secret", "https://10.0.0.1/secret", "https://a:secret@hook.example/", "https://hook.example/secret%zz"} {
		if _, err := client.Post(t.Context(), address, nil, nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// trusting returns a client that may reach 127.0.0.1 and believes in the server's certificate.
func trusting(server *httptest.Server) *Client {
	client := NewClient(NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}))
	client.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	client.transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	return client
}

// fetch returns what an address holds.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}
