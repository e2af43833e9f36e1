package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
		err := CheckURL(text)
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
	client := NewClient(NewGuard(nil))
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := client.Get(ctx, "https://"+host+":"+port+"/", 100)
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
	inside := httptest.NewTLSServer(http.NotFoundHandler())
	defer inside.Close()
	for name, target := range map[string]string{
		"to plain http": "http://issuer.example/", "to another scheme": "file:///etc/passwd", "with a password": "https://a:b@issuer.example/", "for ever": "/again",
	} {
		t.Run(name, func(t *testing.T) {
			outside := httptest.NewTLSServer(http.RedirectHandler(target, http.StatusFound))
			defer outside.Close()
			if _, err := trusting(outside, "127.0.0.1/32").Get(t.Context(), outside.URL, 100); err == nil || !strings.Contains(err.Error(), "redirect") {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("to what may not be reached", func(t *testing.T) {
		outside := httptest.NewTLSServer(http.RedirectHandler(strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1), http.StatusFound))
		defer outside.Close()
		if _, err := trusting(outside, "127.0.0.1/32").Get(t.Context(), outside.URL, 100); !errors.Is(err, ErrAddressRefused) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAnAnswerIsBounded(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(make([]byte, 1000))
	}))
	defer server.Close()
	client := trusting(server, "127.0.0.0/8")
	if body, err := client.Get(t.Context(), server.URL, 1000); err != nil || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if _, err := client.Get(t.Context(), server.URL, 999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Get(t.Context(), server.URL+"/missing", 1000); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

// trusting returns a client that may reach a range and believes in the server's certificate.
func trusting(server *httptest.Server, allowed string) *Client {
	client := NewClient(NewGuard([]netip.Prefix{netip.MustParsePrefix(allowed)}))
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return client
}
