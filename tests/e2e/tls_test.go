package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// encrypted is a story over TLS, in an environment of its own: certificates are a whole environment's.
type encrypted struct {
	*harness.Story

	t         *testing.T
	authority *certificatetest.Authority
	upstream  *harness.Upstream
}

func overTLS(t *testing.T, edges int) *encrypted {
	t.Helper()
	s := &encrypted{Story: product.OwnStory(t, edges, harness.Loopback), t: t, authority: certificatetest.NewAuthority(t), upstream: harness.NewUpstream(t, nil)}
	service := s.Service("service", s.upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("open"), Service: service.Name, Paths: harness.Below("/"), Hosts: []string{"api.test", "shop.test", "*.shop.test"}, Public: true})
	return s
}

// settings puts settings, with what every story needs.
func (s *encrypted) settings(settings sallyport.EnvironmentSettings) {
	s.t.Helper()
	settings.AllowedTargetRanges = []string{harness.Loopback}
	put, err := s.API.PutSettingsWithResponse(s.t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()}, settings)
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
}

// client is how a client that believes in the authority speaks to a host.
func (s *encrypted) client(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: s.authority.Pool()}
}

// ask asks an edge for a host over TLS.
func (s *encrypted) ask(edge *harness.Edge, host string) (harness.Response, *tls.ConnectionState, error) {
	return edge.Secure(s.t.Context(), s.client(host), harness.Request{Host: host, Path: "/x"})
}

// expect asks an edge for a host, and fails unless it is answered with this certificate.
func (s *encrypted) expect(edge *harness.Edge, host string, with certificatetest.Leaf) {
	s.t.Helper()
	answer, state, err := s.ask(edge, host)
	if err != nil {
		s.t.Fatalf("%s: %v", host, err)
	}
	if answer.Status != http.StatusOK || !state.PeerCertificates[0].Equal(with.Certificate) {
		s.t.Errorf("%s: %s, with a certificate for %v", host, answer, state.PeerCertificates[0].DNSNames)
	}
}

func (s *encrypted) expectRefused(edge *harness.Edge, config *tls.Config, what string) {
	s.t.Helper()
	conn, err := edge.DialTLS(s.t.Context(), config)
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // of TLS 1.3 a refusal may come behind the client's handshake
		_ = conn.Close()
	}
	var alert tls.AlertError
	if !errors.As(err, &alert) && !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "remote error") {
		s.t.Errorf("%s: %v", what, err)
	}
}

func TestHostsAreAnsweredForOverTLSEachWithItsOwnCertificate(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	api, shop := s.authority.Issue(t, "api.test"), s.authority.Issue(t, "shop.test", "*.shop.test")
	s.Certificate("api", api, "api.test")
	s.Certificate("shop", shop, "shop.test", "*.shop.test")
	s.expect(edge, "api.test", api)
	s.expect(edge, "shop.test", shop)
	s.expect(edge, "a.shop.test", shop)
	for _, host := range []string{"other.test", "a.b.shop.test"} {
		s.expectRefused(edge, s.client(host), host)
	}
	s.expectRefused(edge, &tls.Config{InsecureSkipVerify: true}, "no host")

	standard := s.authority.Issue(t, "standard.test")
	s.Certificate("standard", standard)
	patched, err := s.API.PatchCertificateWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, s.Name("standard"),
		&sallyport.PatchCertificateParams{Wait: s.Wait()}, map[string]any{"default": true})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	conn, err := edge.DialTLS(t.Context(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if shown := conn.ConnectionState().PeerCertificates[0]; !shown.Equal(standard.Certificate) {
		t.Errorf("without a host: %v", shown.DNSNames)
	}
	_ = conn.Close()
	for _, request := range s.upstream.Requests() {
		if got := request.Header.Get("X-Forwarded-Proto"); got != "https" {
			t.Errorf("the service was told that the client spoke %q", got)
		}
	}
	again := s.authority.Issue(t, "api.test")
	secret, err := s.API.CreateSecretWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Secret{Name: "again", Value: again.Key})
	s.Must(secret, err)
	twice, err := s.API.CreateCertificateWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Certificate{Name: "again", Chain: again.Chain, PrivateKey: "again", Hosts: []string{"api.test"}})
	names(t, refused(t, "invalid_request", twice, err), map[string]string{"/hosts/0": "not_unique"})
	metrics := s.Metrics(edge)
	if full, unknown := metrics.Sum("sallyport_edge_tls_handshakes_total", `outcome="full"`), metrics.Sum("sallyport_edge_tls_handshakes_total", `outcome="unknown_host"`); full != 4 || unknown != 3 {
		t.Errorf("%v handshakes and %v of unknown hosts were counted", full, unknown)
	}
}

func TestVersionsOfTLSAreThoseOfTheSettingsAndHTTP2IsSpoken(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	with := func(version uint16) *tls.Config {
		config := s.client("api.test")
		config.MinVersion, config.MaxVersion = version, version
		return config
	}
	s.expectRefused(edge, with(tls.VersionTLS11), "TLS 1.1")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for offered, proto := range map[string]string{"h2": "h2", "http/1.1": "http/1.1"} {
			config := with(version)
			config.NextProtos = []string{offered}
			answer, state, err := edge.Secure(t.Context(), config, harness.Request{Host: "api.test", Path: "/x"})
			if err != nil || answer.Status != http.StatusOK || state.NegotiatedProtocol != proto || state.Version != version {
				t.Errorf("%s over %s: %s %v", offered, tls.VersionName(version), answer, err)
			}
		}
	}
	s.settings(sallyport.EnvironmentSettings{TLS: sallyport.ClientTLS{MinVersion: pointer(sallyport.ClientTLSMinVersion("1.3"))}})
	s.expectRefused(edge, with(tls.VersionTLS12), "TLS 1.2, where 1.3 is demanded")
	if answer, _, err := edge.Secure(t.Context(), with(tls.VersionTLS13), harness.Request{Host: "api.test", Path: "/x"}); err != nil || answer.Status != http.StatusOK {
		t.Errorf("TLS 1.3: %s %v", answer, err)
	}
}

// replacement is a batch that puts another certificate with a key of its own in the place of one.
func (s *encrypted) replacement(of, key string, leaf certificatetest.Leaf) []sallyport.Operation {
	return []sallyport.Operation{
		{Action: "create", Collection: "secrets", Body: map[string]any{"name": s.Name(key), "value": leaf.Key}},
		{Action: "patch", Collection: "certificates", Key: s.Name(of), Body: map[string]any{"chain": leaf.Chain, "private_key": s.Name(key)}},
	}
}

func TestACertificateIsReplacedUnderLoadAndNoConnectionIsDropped(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	first, second := s.authority.Issue(t, "api.test"), s.authority.Issue(t, "api.test")
	s.Certificate("api", first, "api.test")
	open, closing := edge.SecureClient(s.client("api.test"))
	defer closing()
	still := func() *tls.ConnectionState {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+edge.SecureAddress+"/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "api.test"
		answer, err := open.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the open connection: %s", answer.Status)
		}
		return answer.TLS
	}
	still()

	loading, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	for range 4 {
		load.Go(func() {
			for loading.Err() == nil {
				if answer, _, err := s.ask(edge, "api.test"); err != nil || answer.Status != http.StatusOK {
					t.Errorf("while the certificate was replaced: %s %v", answer, err)
					return
				}
			}
		})
	}
	for i, leaf := range []certificatetest.Leaf{second, first, second} {
		made, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{Wait: s.Wait()},
			sallyport.ChangesRequest{Operations: s.replacement("api", fmt.Sprint("key-", i), leaf)})
		s.Must(made, err)
		s.Applied(made.HTTPResponse)
		s.expect(edge, "api.test", leaf)
	}
	stop()
	load.Wait()
	if shown := still().PeerCertificates[0]; !shown.Equal(first.Certificate) {
		t.Error("the open connection was another one")
	}
	removed, err := s.API.DeleteSecretWithResponse(t.Context(), s.Environment.Name, s.Name("key-0"), nil)
	s.Must(removed, err)
	used, err := s.API.DeleteSecretWithResponse(t.Context(), s.Environment.Name, s.Name("key-2"), nil)
	_ = refused(t, "referenced", used, err)
}

func TestACertificateWhoseKeyIsGoneAnswersNobodyAndIsToldOf(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	api, wild := s.authority.Issue(t, "a.shop.test"), s.authority.Issue(t, "*.shop.test")
	s.Certificate("api", api, "a.shop.test")
	s.Certificate("wild", wild, "*.shop.test")
	s.expect(edge, "a.shop.test", api)
	change := func(value string) {
		t.Helper()
		patched, err := s.API.PatchSecretWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, s.Name("api"),
			&sallyport.PatchSecretParams{Wait: s.Wait()}, map[string]any{"value": value})
		s.Must(patched, err)
		s.Applied(patched.HTTPResponse)
	}
	change(wild.Key)
	s.expectRefused(edge, s.client("a.shop.test"), "without its key")
	s.expect(edge, "b.shop.test", wild)
	status, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range status.Certificates {
		if (shown.Trouble != "") != (shown.Name == s.Name("api")) {
			t.Errorf("the status says %+v", shown)
		}
	}
	if n := s.Metrics(edge).Sum("sallyport_edge_served_certificates", `state="unusable"`); n != 1 {
		t.Errorf("%v unusable certificates are counted", n)
	}
	health, err := s.API.GetNodeHealthWithResponse(t.Context(), s.Environment.Name, status.Node)
	s.Must(health, err)
	if !strings.Contains(string(health.Body), "a certificate can't be used: handshakes for its hosts are refused reason="+s.Name("api")+": no private key") {
		t.Errorf("the node's health says nothing of it: %s", health.Body)
	}
	change(api.Key)
	s.expect(edge, "a.shop.test", api)
}

func TestPlainRequestsAreSentToHTTPSAndBrowsersToldToStay(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 1)
	edge := s.Edges()[0]
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	before := s.Metrics(edge)
	s.settings(sallyport.EnvironmentSettings{TLS: sallyport.ClientTLS{RedirectHTTP: true, RedirectPort: pointer(8443), Hsts: sallyport.Hsts{MaxAge: pointer("1h"), IncludeSubdomains: true}}})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		answer := s.SendTo(edge, method, "/a/b?c=d%20e", "api.test", nil)
		if answer.Status != http.StatusPermanentRedirect || answer.Header.Get("Location") != "https://api.test:8443/a/b?c=d%20e" || answer.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s over plain HTTP: %s to %q", method, answer, answer.Header.Get("Location"))
		}
	}
	if n := len(s.upstream.Requests()); n != 0 {
		t.Errorf("%d plain requests reached the service", n)
	}
	for path, status := range map[string]int{"/x": http.StatusOK, "/%2e%2e%2f": http.StatusBadRequest} {
		answer, _, err := edge.Secure(t.Context(), s.client("api.test"), harness.Request{Host: "api.test", Path: path})
		if err != nil || answer.Status != status || answer.Header.Get("Strict-Transport-Security") != "max-age=3600; includeSubDomains" {
			t.Errorf("%s over TLS: %s, %q %v", path, answer, answer.Header.Get("Strict-Transport-Security"), err)
		}
	}
	if n := s.Metrics(edge).Sum("sallyport_edge_requests_total", `status_class="3"`, `refused="false"`) - before.Sum("sallyport_edge_requests_total", `status_class="3"`, `refused="false"`); n != 2 {
		t.Errorf("%v redirects were counted", n)
	}
	s.settings(sallyport.EnvironmentSettings{})
	if answer := s.SendTo(edge, http.MethodGet, "/x", "api.test", nil); answer.Status != http.StatusOK {
		t.Errorf("with the redirect off: %s", answer)
	}
}

func TestASessionBegunAtOneNodeGoesOnAtAnotherUntilItsKeyIsRetired(t *testing.T) {
	t.Parallel()
	s := overTLS(t, 2)
	s.Certificate("api", s.authority.Issue(t, "api.test"), "api.test")
	a, b := s.Edges()[0], s.Edges()[1]
	resumed := func(edge *harness.Edge, config *tls.Config) bool {
		t.Helper()
		conn, err := edge.DialTLS(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		// An answer comes behind the tickets.
		if _, err := io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%v %v", answer, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return conn.ConnectionState().DidResume
	}
	rotate := func() {
		t.Helper()
		before := uint64(s.Head().Sequence)
		if said, err := s.Environment.Stack.Control(t.Context(), "rotate", "ticket-keys", "-environment", s.Environment.Name); err != nil || !strings.Contains(said, "sealed with key") {
			t.Fatalf("%s %v", said, err)
		}
		for _, edge := range s.Edges() {
			harness.Eventually(t, time.Minute, func() error {
				if status, err := edge.Status(t.Context()); err != nil || status.Sequence <= before {
					return fmt.Errorf("%s is at sequence %d: %w", edge.Name, status.Sequence, err)
				}
				return nil
			})
		}
	}
	session := func() *tls.Config {
		t.Helper()
		config := s.client("api.test")
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		if resumed(a, config) {
			t.Error("a session was resumed that there wasn't")
		}
		return config
	}
	// Each session is looked at once: one that is resumed is given a new ticket.
	now, once, thrice := session(), session(), session()
	if !resumed(b, now) {
		t.Error("a session of one node doesn't go on at another")
	}
	rotate()
	if !resumed(b, once) {
		t.Error("a session doesn't go on after a rotation")
	}
	rotate()
	rotate()
	if resumed(b, thrice) {
		t.Error("a session goes on whose key was retired")
	}
	if n := s.Metrics(b).Sum("sallyport_edge_tls_handshakes_total", `outcome="resumed"`); n != 2 {
		t.Errorf("%v resumed handshakes were counted", n)
	}
}
