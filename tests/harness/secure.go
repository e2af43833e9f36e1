package harness

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/sdk/sallyport"
)

// ShownCertificate is one that an edge has for clients.
type ShownCertificate struct {
	Name    string `json:"name"`
	Trouble string `json:"trouble"` // why it can't be used
}

// Certificate creates a certificate for hosts, and a secret of the same name with its private key.
func (s *Story) Certificate(of string, leaf certificatetest.Leaf, hosts ...string) sallyport.Certificate {
	s.t.Helper()
	name := s.Name(of)
	secret, err := s.API.CreateSecretWithResponse(s.t.Context(), s.Environment.Name, nil, sallyport.Secret{Name: name, Value: leaf.Key})
	s.Must(secret, err)
	made, err := s.API.CreateCertificateWithResponse(s.t.Context(), s.Environment.Name, &sallyport.CreateCertificateParams{Wait: s.Wait()},
		sallyport.Certificate{Name: name, Chain: leaf.Chain, PrivateKey: name, Hosts: hosts})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// DialTLS opens a connection to the edge over TLS.
func (e *Edge) DialTLS(ctx context.Context, config *tls.Config) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerBound)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", e.SecureAddress)
	if err != nil {
		return nil, fmt.Errorf("dial %s over TLS: %w", e.Name, err)
	}
	return conn.(*tls.Conn), nil
}

// Secure asks the edge over TLS, over a connection of its own.
func (e *Edge) Secure(ctx context.Context, config *tls.Config, want Request) (Response, *tls.ConnectionState, error) {
	client, closing := e.SecureClient(config)
	defer closing()
	request, err := http.NewRequestWithContext(ctx, want.Method, "https://"+e.SecureAddress+want.Path, strings.NewReader(want.Body)) // an empty one is none
	if err != nil {
		return Response{}, nil, fmt.Errorf("ask %s: %w", e.Name, err)
	}
	if want.Header != nil {
		request.Header = want.Header
	}
	request.Host = want.Host
	answer, err := client.Do(request)
	if err != nil {
		return Response{}, nil, fmt.Errorf("ask %s over TLS: %w", e.Name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return Response{}, nil, fmt.Errorf("read the answer of %s: %w", e.Name, err)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, answer.TLS, nil
}

// SecureClient returns a client of the edge over TLS, which speaks what the configuration offers (NextProtos), and what closes it.
func (e *Edge) SecureClient(config *tls.Config) (client *http.Client, closing func()) {
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: answerBound}).DialContext, TLSClientConfig: config, DisableCompression: true,
		TLSHandshakeTimeout: answerBound, Protocols: new(http.Protocols),
	}
	http2 := false
	for _, offered := range config.NextProtos {
		http2 = http2 || offered == "h2"
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	return &http.Client{
		Transport: transport, Timeout: answerBound,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, transport.CloseIdleConnections
}
