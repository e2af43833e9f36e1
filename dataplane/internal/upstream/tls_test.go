package upstream

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// secure makes a server of bare connections one of TLS.
func secure(config *tls.Config, handle func(int, net.Conn, *bufio.Reader)) func(int, net.Conn, *bufio.Reader) {
	return func(number int, conn net.Conn, _ *bufio.Reader) {
		over := tls.Server(conn, config)
		handle(number, over, bufio.NewReader(over))
	}
}

func certificateOf(t *testing.T, leaf certificatetest.Leaf) tls.Certificate {
	t.Helper()
	made, err := tls.X509KeyPair([]byte(leaf.Chain), []byte(leaf.Key))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func private(address string, settings snapshot.TLS) snapshot.Spec {
	s := spec(snapshot.Target{Address: address, Weight: 1})
	settings.On = true
	s.TLS = settings
	return s
}

func TestATargetMustProveWhoItIs(t *testing.T) {
	ours, others := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	expired := ours.IssueFor(t, certificatetest.NewKey(t), &x509.Certificate{
		DNSNames: []string{"orders.internal"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	})
	const unreachable = string(problem.UpstreamUnreachable)
	tests := map[string]struct {
		shown    certificatetest.Leaf
		settings snapshot.TLS
		versions [2]uint16
		want     string
	}{
		"right":                {ours.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{}, "200 1"},
		"right, by TLS 1.2":    {ours.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{0, tls.VersionTLS12}, "200 1"},
		"two authorities":      {ours.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: others.PEM() + ours.PEM()}, [2]uint16{}, "200 1"},
		"another name":         {ours.Issue(t, "billing.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{}, unreachable},
		"the address, unnamed": {ours.Issue(t, "orders.internal"), snapshot.TLS{CACertificates: ours.PEM()}, [2]uint16{}, unreachable},
		"another authority":    {others.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{}, unreachable},
		"the system's alone":   {ours.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal"}, [2]uint16{}, unreachable},
		"expired":              {expired, snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{}, unreachable},
		"TLS 1.1":              {ours.Issue(t, "orders.internal"), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}, [2]uint16{tls.VersionTLS10, tls.VersionTLS11}, unreachable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{
				Certificates: []tls.Certificate{certificateOf(t, tt.shown)}, MinVersion: tt.versions[0], MaxVersion: tt.versions[1],
			}
			pool := one(t, private(service(t, secure(config, serving)), tt.settings))
			wantAnswer(t, pool, request(t.Context(), "/"), tt.want)
			if tt.want != unreachable {
				for range 5 { // over the same connection
					wantAnswer(t, pool, post(t, 4, strings.NewReader("body")), tt.want)
				}
			}
		})
	}
}

func TestAPlainTargetIsNotSpokenToInPlainWhereTLSIsAskedFor(t *testing.T) {
	asked := make(chan string, 1)
	pool := one(t, private(service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		first, _ := from.Peek(3)
		asked <- string(first)
		_, _ = io.WriteString(conn, ok("plain"))
	}), snapshot.TLS{}))
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamUnreachable))
	if first := <-asked; strings.HasPrefix(first, "GET") {
		t.Error("the request went out in plain")
	}
}

// The certificate that the gateway shows is asked for at each handshake: one that is renewed is used from then on.
func TestTheGatewayShowsItsCertificateToTargetsThatAsk(t *testing.T) {
	ours := certificatetest.NewAuthority(t)
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificateOf(t, ours.Issue(t, "orders.internal"))},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool(),
	}
	whoAsks := func(_ int, conn net.Conn, from *bufio.Reader) {
		if _, err := http.ReadRequest(from); err == nil {
			over := conn.(*tls.Conn)
			_, _ = io.WriteString(conn, strings.Replace(ok(over.ConnectionState().PeerCertificates[0].DNSNames[0]), "OK\r\n", "OK\r\nConnection: close\r\n", 1))
		}
	}
	address := service(t, secure(config, whoAsks))
	self := id.New(time.Now())
	settings := snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM(), ClientCertificate: self}
	first, second := certificateOf(t, ours.Issue(t, "gateway-1.internal")), certificateOf(t, ours.Issue(t, "gateway-2.internal"))
	shown := &first
	pool := node(t, Config{Certificate: func(asked id.ID) (*tls.Certificate, error) {
		if asked != self || shown == nil {
			return nil, errors.New("no such certificate")
		}
		return shown, nil
	}}).Pool(private(address, settings))
	wantAnswer(t, pool, request(t.Context(), "/"), "200 gateway-1.internal")
	shown = &second
	wantAnswer(t, pool, request(t.Context(), "/"), "200 gateway-2.internal")
	shown = nil
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamUnreachable))
	wantAnswer(t, one(t, private(address, settings)), request(t.Context(), "/"), string(problem.UpstreamUnreachable))
}

// Over TLS too, what a target says unasked is no answer, and a connection that ended fails no request.
func TestAConnectionOverTLSIsLookedAtBeforeItIsUsed(t *testing.T) {
	ours := certificatetest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, end := range map[string]func(net.Conn){
			"says something": func(c net.Conn) { _, _ = io.WriteString(c, ok("smuggled")) },
			"ends":           func(c net.Conn) { _ = c.Close() },
			"ends below TLS": func(c net.Conn) { _ = c.(*tls.Conn).NetConn().Close() },
		} {
			t.Run(name, func(t *testing.T) {
				config := &tls.Config{MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{certificateOf(t, ours.Issue(t, "orders.internal"))}}
				go1, done := make(chan struct{}), make(chan struct{})
				pool := one(t, private(service(t, secure(config, func(number int, conn net.Conn, from *bufio.Reader) {
					if number == 1 {
						take(from)
						_, _ = io.WriteString(conn, ok("fine"))
						<-go1
						end(conn)
						close(done)
					}
					serving(number, conn, from)
				})), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}))
				wantAnswer(t, pool, request(t.Context(), "/"), "200 fine")
				close(go1)
				<-done
				wantAnswer(t, pool, post(t, 4, strings.NewReader("body")), "200 2")
			})
		}
	}
}

func TestUploadsGoOverTLS(t *testing.T) {
	ours := certificatetest.NewAuthority(t)
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificateOf(t, ours.Issue(t, "orders.internal"))}}
	pool := one(t, private(service(t, secure(config, echo)), snapshot.TLS{ServerName: "orders.internal", CACertificates: ours.PEM()}))
	text := strings.Repeat("0123456789", 30_000)
	for range 3 {
		wantAnswer(t, pool, post(t, int64(len(text)), strings.NewReader(text)), "200 ||"+text)
		wantAnswer(t, pool, post(t, -1, strings.NewReader(text)), "200 chunked||"+text)
		wantAnswer(t, pool, post(t, 10<<10, &inMemory{data: []byte(text[:10<<10])}), "200 ||"+text[:10<<10])
	}
	if opened := pool.members[0].target.counts.opened.Load(); opened != 1 {
		t.Errorf("%d connections were opened", opened)
	}
}
