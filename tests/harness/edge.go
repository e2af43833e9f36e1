package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// answerBound is how long an answer may take; the product promises milliseconds.
	answerBound = 30 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 16 << 20
)

// Edge is a running edge.
type Edge struct {
	// Name that it gave itself.
	Name string
	// URL is where it serves.
	URL string
	// SecureAddress is where it serves over TLS, host:port; of edges that the harness starts, of this build and in the test's own network.
	SecureAddress string
	// AdminURL is where its operator looks.
	AdminURL string
	// DataDir is where it keeps its identity and state; of edges that the harness starts.
	DataDir string

	client  *http.Client
	program program
}

func newEdge(name, serve, operate string, program program) *Edge {
	return &Edge{
		Name: name, URL: serve, AdminURL: operate, program: program,
		client: &http.Client{
			Timeout: answerBound,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: answerBound}).DialContext,
				DisableCompression:  true,
				MaxIdleConnsPerHost: 64,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Start starts the edge, or starts it again, and returns once it is ready.
func (e *Edge) Start(ctx context.Context) error {
	if err := e.program.start(ctx); err != nil {
		return err
	}
	return poll(ctx, readyBound, func() error {
		ready, err := e.operator(ctx, "/readyz")
		if err != nil {
			return err
		}
		if ready.Status != http.StatusOK {
			return fmt.Errorf("%s isn't ready", e.Name)
		}
		return nil
	})
}

// Launch starts the edge, and returns once its operator is told how it is, ready or not.
func (e *Edge) Launch(ctx context.Context) error {
	if err := e.program.start(ctx); err != nil {
		return err
	}
	return poll(ctx, readyBound, func() error {
		_, err := e.operator(ctx, "/readyz")
		return err
	})
}

// Ready tells whether the edge says that it is.
func (e *Edge) Ready(ctx context.Context) (bool, error) {
	answer, err := e.operator(ctx, "/readyz")
	return answer.Status == http.StatusOK, err
}

// Stop asks the edge to end, and returns once it has.
func (e *Edge) Stop(ctx context.Context) error {
	defer e.client.CloseIdleConnections()
	return e.program.stop(ctx)
}

// Kill ends the edge at once, as a crash would.
func (e *Edge) Kill() error {
	defer e.client.CloseIdleConnections()
	return e.program.kill()
}

// Request is what to ask an edge.
type Request struct {
	// Method, GET when empty.
	Method string
	// Host to ask.
	Host string
	// Path with the query.
	Path string
	// Header fields.
	Header http.Header
	// Body, if any.
	Body string
}

// Response is what was answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Code returns the code of an answer that is a problem, else "".
func (r Response) Code() string {
	var problem struct {
		Code string `json:"code"`
	}
	if r.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(r.Body, &problem) != nil {
		return ""
	}
	return problem.Code
}

func (r Response) String() string {
	return fmt.Sprintf("%d %s", r.Status, bytes.TrimSpace(r.Body[:min(len(r.Body), 512)]))
}

// Do asks the edge.
func (e *Edge) Do(ctx context.Context, want Request) (Response, error) {
	answer, err := e.Open(ctx, want)
	if err != nil {
		return Response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return Response{}, fmt.Errorf("read the answer of %s: %w", e.Name, err)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

// Open asks the edge, and leaves reading the answer's body to the caller.
func (e *Edge) Open(ctx context.Context, want Request) (*http.Response, error) {
	var body io.Reader
	if want.Body != "" {
		body = strings.NewReader(want.Body)
	}
	request, err := http.NewRequestWithContext(ctx, want.Method, e.URL+want.Path, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", e.Name, err)
	}
	if want.Header != nil {
		request.Header = want.Header
	}
	request.Host = want.Host
	answer, err := e.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", e.Name, err)
	}
	return answer, nil
}

// Stream is Open for an answer that may take any time to end: ctx bounds it.
func (e *Edge) Stream(ctx context.Context, want Request) (*http.Response, error) {
	client := *e.client
	client.Timeout = 0
	at := *e
	at.client = &client
	return at.Open(ctx, want)
}

// DoRaw sends bytes as they are over a connection of their own, and reads one answer.
func (e *Edge) DoRaw(ctx context.Context, request string) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, answerBound)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(e.URL, "http://"))
	if err != nil {
		return Response{}, fmt.Errorf("connect to %s: %w", e.Name, err)
	}
	defer func() { _ = conn.Close() }() // the answer was read, or there is none
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return Response{}, fmt.Errorf("connect to %s: %w", e.Name, err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return Response{}, fmt.Errorf("write to %s: %w", e.Name, err)
	}
	method, _, _ := strings.Cut(request, " ") // that of HEAD has no body
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return Response{}, fmt.Errorf("read the answer of %s: %w", e.Name, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return Response{}, fmt.Errorf("read the answer of %s: %w", e.Name, err)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

// operator asks the edge's admin listener.
func (e *Edge) operator(ctx context.Context, path string) (Response, error) {
	at := *e
	at.URL = e.AdminURL
	return at.Do(ctx, Request{Path: path})
}

// Status is what an edge says of itself, as far as tests look at it.
type Status struct {
	Node  string `json:"node"`
	Boot  string `json:"boot"`
	Stale bool   `json:"stale"`
	// HandingOver: the next process has the sockets, and this one serves until that one can.
	HandingOver bool   `json:"handing_over"`
	Connected   bool   `json:"connected"`
	Epoch       uint64 `json:"epoch"`
	Revision    uint64 `json:"revision"`
	Sequence    uint64 `json:"sequence"`
	// CertificateExpiresAt is when the node's certificate ends.
	CertificateExpiresAt time.Time `json:"certificate_expires_at"`
	// Certificates are those that it shows to clients.
	Certificates []ShownCertificate `json:"certificates"`
}

// Status asks the edge what it serves.
func (e *Edge) Status(ctx context.Context) (Status, error) {
	answer, err := e.operator(ctx, "/status")
	if err != nil {
		return Status{}, err
	}
	var status Status
	if err := json.Unmarshal(answer.Body, &status); err != nil {
		return Status{}, fmt.Errorf("the status of %s: %w", e.Name, err)
	}
	return status, nil
}
