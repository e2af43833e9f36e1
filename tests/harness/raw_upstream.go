package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// RawUpstream is a service behind the gateway that reads HTTP/1.1 by the letter, with no library that could repair or forgive: what isn't in the
// one form that a gateway should send is noted as a violation. It answers with whatever bytes it is told.
type RawUpstream struct {
	// Address of it, host:port.
	Address string

	answer func(RawRequest) RawAnswer

	mu         sync.Mutex
	requests   []RawRequest
	violations []string
	open       map[net.Conn]bool
}

// RawRequest is a request that reached a RawUpstream whole.
type RawRequest struct {
	Method, Target string
	// Fields are the lines between the request line and the empty line.
	Fields []string
	// Body, chunks joined; trailers are in Trailers.
	Body     string
	Trailers []string
}

// RawAnswer is what to send back.
type RawAnswer struct {
	// Wire are the bytes.
	Wire string
	// Close ends the connection behind them.
	Close bool
}

// Echo answers 200 with method, target and length of the body.
func Echo(r RawRequest) RawAnswer {
	said := fmt.Sprintf("%s %s %d", r.Method, r.Target, len(r.Body))
	wire := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(said))
	if r.Method != http.MethodHead {
		wire += said
	}
	return RawAnswer{Wire: wire}
}

// NewRawUpstream starts a service on loopback that answers as told; nil: Echo. It ends with the test.
func NewRawUpstream(t testing.TB, answer func(RawRequest) RawAnswer) *RawUpstream {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		answer = Echo
	}
	u := &RawUpstream{Address: listener.Addr().String(), answer: answer, open: map[net.Conn]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			serving.Go(func() { u.serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		u.mu.Lock()
		for conn := range u.open {
			_ = conn.Close()
		}
		u.mu.Unlock()
		serving.Wait()
	})
	return u
}

// Requests returns what has arrived whole so far.
func (u *RawUpstream) Requests() []RawRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]RawRequest(nil), u.requests...)
}

// Violations returns what arrived in another form than it should.
func (u *RawUpstream) Violations() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.violations...)
}

// Inject writes bytes that nobody has asked for to every open connection, and returns to how many.
func (u *RawUpstream) Inject(wire string) (connections int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.open {
		if _, err := io.WriteString(conn, wire); err == nil {
			connections++
		}
	}
	return connections
}

func (u *RawUpstream) serve(ctx context.Context, conn net.Conn) {
	u.mu.Lock()
	u.open[conn] = true
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.open, conn)
		u.mu.Unlock()
		_ = conn.Close()
	}()
	from := bufio.NewReader(conn)
	for ctx.Err() == nil {
		request, err := readRaw(from)
		if err != nil {
			var odd violation
			if errors.As(err, &odd) {
				u.mu.Lock()
				u.violations = append(u.violations, string(odd))
				u.mu.Unlock()
			}
			return
		}
		u.mu.Lock()
		u.requests = append(u.requests, request)
		u.mu.Unlock()
		answer := u.answer(request)
		if _, err := io.WriteString(conn, answer.Wire); err != nil || answer.Close {
			return
		}
	}
}

// violation says what is wrong with a request.
type violation string

func (v violation) Error() string { return string(v) }

// readRaw reads one request. An error that is no violation is the end of the connection.
func readRaw(from *bufio.Reader) (r RawRequest, _ error) {
	line, err := rawLine(from)
	if err != nil {
		return r, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
		return r, violation(fmt.Sprintf("request line %q", line))
	}
	r.Method, r.Target = parts[0], parts[1]
	if r.Fields, err = rawFields(from); err != nil {
		return r, err
	}
	length, chunked, err := rawFraming(r.Fields)
	switch {
	case err != nil:
		return r, err
	case chunked:
		err = r.readChunks(from)
		return r, err
	}
	var body strings.Builder // as large as it is, not as it says
	_, err = io.CopyN(&body, from, length)
	r.Body = body.String()
	return r, err //nolint:wrapcheck // the end of the connection
}

// rawLine reads a line that CRLF ends, and that has no other control byte but tab.
func rawLine(from *bufio.Reader) (string, error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return "", err //nolint:wrapcheck // the end of the connection
	}
	text, whole := strings.CutSuffix(line, "\r\n")
	if !whole || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return "", violation(fmt.Sprintf("line %q", line))
	}
	return text, nil
}

func rawFields(from *bufio.Reader) (fields []string, _ error) {
	for {
		line, err := rawLine(from)
		if err != nil || line == "" {
			return fields, err
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsFunc(name, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
		}) {
			return nil, violation(fmt.Sprintf("field %q", line))
		}
		fields = append(fields, line)
	}
}

// rawFraming finds out where a body ends: by one field, in one spelling, or there is none.
func rawFraming(fields []string) (length int64, chunked bool, _ error) {
	framed, hosts := 0, 0
	for _, line := range fields {
		name, value, _ := strings.Cut(line, ": ")
		switch strings.Map(separatorsAlike, strings.ToLower(name)) {
		case "host":
			hosts++
		case "upgrade", "http2-settings":
			return 0, false, violation(fmt.Sprintf("field %q", line))
		case "content-length", "transfer-encoding":
			framed++
			var err error
			if chunked = name == "Transfer-Encoding" && value == "chunked"; chunked {
				continue
			}
			if length, err = strconv.ParseInt(value, 10, 64); name != "Content-Length" || err != nil || length < 0 || value != strconv.FormatInt(length, 10) {
				return 0, false, violation(fmt.Sprintf("framing %q", line))
			}
		}
	}
	if framed > 1 || hosts != 1 {
		return 0, false, violation(fmt.Sprintf("%d fields of framing, %d hosts: %q", framed, hosts, fields))
	}
	return length, chunked, nil
}

// separatorsAlike takes separators for one another, as servers do that make variables of names.
func separatorsAlike(c rune) rune {
	if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
		return '-'
	}
	return c
}

func (r *RawRequest) readChunks(from *bufio.Reader) error {
	for {
		line, err := rawLine(from)
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(line, 16, 31)
		if err != nil || strings.TrimLeft(line, "0123456789abcdefABCDEF") != "" {
			return violation(fmt.Sprintf("chunk size %q", line))
		}
		if size == 0 {
			r.Trailers, err = rawFields(from)
			return err
		}
		data := make([]byte, size+2)
		if _, err := io.ReadFull(from, data); err != nil {
			return err //nolint:wrapcheck // the end of the connection
		}
		if string(data[size:]) != "\r\n" {
			return violation(fmt.Sprintf("chunk of %d bytes ends with %q", size, data[size:]))
		}
		r.Body += string(data[:size])
	}
}
