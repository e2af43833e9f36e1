package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

const clientV1 = "PROXY TCP4 203.0.113.7 10.0.0.1 51234 443\r\n"

// version 2, PROXY over TCP/IPv4 and TCP/IPv6, and LOCAL.
var (
	clientV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + string([]byte{203, 0, 113, 7, 10, 0, 0, 1, 0xc8, 0x22, 0x01, 0xbb})
	clientV6 = "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x00", 15) + "\x01" + "\xc8\x22\x01\xbb"
	balancer = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
)

// introduced asks an edge over a connection on which something is said first; 0: it is closed without an answer.
func introduced(t *testing.T, address, first string, secure *tls.Config) int {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		conn = tls.Client(conn, secure)
	}
	reader := bufio.NewReader(conn)
	status := 0
	for range 2 { // the second shows that nothing of the first is left
		if _, err := io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n"); err != nil {
			return 0
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return status
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		status = answer.StatusCode
		if answer.Close {
			return status
		}
	}
	return status
}

// introducedOverHTTP2 asks an edge by HTTP/2, over a connection on which something is said first.
func introducedOverHTTP2(t *testing.T, address, first string, secure *tls.Config) int {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: secure, Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(conn, first)
			}
			return conn, err
		},
	}
	transport.Protocols.SetHTTP2(true)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Errorf("it was spoken %s", answer.Proto)
	}
	return answer.StatusCode
}

func TestALoadBalancerNamesTheClientByTheProxyProtocol(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	plain := strings.TrimPrefix(edge.URL, "http://")
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	s.Policy(addresses(s.Name("allow"), sallyport.Attachment{Environment: true}, map[string]any{"allow": ranges("203.0.113.0/24", "2001:db8::/32")}))
	other := strings.Replace(clientV1, "203.0.113.7", "198.51.100.7", 1)
	h1 := s.client("api.test")
	h1.NextProtos = []string{"http/1.1"}

	// Nobody is listed: a header is a malformed request, and tells nobody's address.
	for name, header := range map[string]string{"version 1": clientV1, "version 2": clientV2} {
		if got := introduced(t, plain, header, nil); got != http.StatusBadRequest {
			t.Errorf("%s from an address that isn't listed: %d", name, got)
		}
	}
	if got := introduced(t, plain, "", nil); got != http.StatusForbidden {
		t.Errorf("without a header: %d", got)
	}

	s.settings(sallyport.EnvironmentSettings{ProxyProtocolFrom: []string{"127.0.0.0/8"}})
	for header, want := range map[string]int{
		clientV1: http.StatusOK, clientV2: http.StatusOK, clientV6: http.StatusOK,
		other: http.StatusForbidden, balancer: http.StatusForbidden, "PROXY UNKNOWN\r\n": http.StatusForbidden,
		"": 0, "PROXY TCP4 203.0.113.7\r\n": 0, clientV1[:len(clientV1)-2] + "\n": 0,
	} {
		if got := introduced(t, plain, header, nil); got != want {
			t.Errorf("%q: %d, want %d", header, got, want)
		}
		if want == 0 {
			continue
		}
		if got := introduced(t, edge.SecureAddress, header, h1.Clone()); got != want {
			t.Errorf("%q in front of TLS: %d, want %d", header, got, want)
		}
	}
	if got := introducedOverHTTP2(t, edge.SecureAddress, clientV2, s.client("api.test")); got != http.StatusOK {
		t.Errorf("over HTTP/2: %d", got)
	}
	for _, request := range s.upstream.Requests() {
		if got := request.Header.Get("X-Forwarded-For"); got != "203.0.113.7" && got != "2001:db8::7" {
			t.Errorf("the service was told that %s calls", got)
		}
	}
	metrics := s.Metrics(edge)
	for outcome, want := range map[string]float64{"named": 9, "unnamed": 4, "refused": 3} {
		if got := metrics.Sum("sallyport_edge_proxy_protocol_connections_total", `outcome="`+outcome+`"`); got != want {
			t.Errorf("%v connections counted as %s, want %v", got, outcome, want)
		}
	}
}
