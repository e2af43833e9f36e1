package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Protocol makes lines.
type Protocol interface {
	// Dial connects the n-th line.
	Dial(ctx context.Context, n int) (Line, error)
}

// Line is one client: it asks, and waits for the answer. Nobody uses it twice at the same time.
type Line interface {
	// Exchange asks for the n-th time. After an error the line is of no use.
	Exchange(n int) error
	Close() error
}

// Target is whom to ask.
type Target struct {
	// Address of it, host:port.
	Address string
	// TLS to speak with it; nil: none.
	TLS *tls.Config
}

const (
	dialTimeout = 10 * time.Second
	// answerTimeout bounds each exchange, by a deadline that is set anew after half of it.
	answerTimeout = 20 * time.Second
	// sources is over how many addresses of ours the lines are spread: from each there are some 28,000 ports to one target, also
	// while those that were closed linger.
	sources = 32
)

// dial connects from one of many loopback addresses.
func (t Target) dial(ctx context.Context, n int) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%sources))}}
	conn, err := dialer.DialContext(ctx, "tcp", t.Address)
	if err != nil || t.TLS == nil {
		return conn, err //nolint:wrapcheck // says whom
	}
	secure := tls.Client(conn, t.TLS)
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("handshake with %s: %w", t.Address, err), conn.Close())
	}
	return secure, nil
}

// HTTP asks over connections that are kept.
type HTTP struct {
	Target
	// Requests as they are sent. Which of them comes next is drawn.
	Requests [][]byte
	// Answer is how long the body of a right answer is, with status 200; below 0: of any length.
	Answer int
	// Refused says that a right answer is a refusal instead: status 403, of any length.
	Refused bool
}

// Dial connects a line.
func (h *HTTP) Dial(ctx context.Context, n int) (Line, error) {
	conn, err := h.dial(ctx, n)
	if err != nil {
		return nil, err
	}
	return &httpLine{of: h, conn: timed{Conn: conn}, drawn: uint64(n)*2654435761 + 1}, nil
}

type httpLine struct {
	of    *HTTP
	conn  timed
	in    inbox
	drawn uint64
}

func (l *httpLine) Exchange(int) error {
	request := l.of.Requests[0]
	if len(l.of.Requests) > 1 {
		request = l.of.Requests[l.draw()%uint64(len(l.of.Requests))]
	}
	if l.of.Refused {
		return l.in.askInVain(&l.conn, request)
	}
	return l.in.ask(&l.conn, request, l.of.Answer)
}

// draw is xorshift64: cheap, and the same in each round.
func (l *httpLine) draw() uint64 {
	l.drawn ^= l.drawn << 13
	l.drawn ^= l.drawn >> 7
	l.drawn ^= l.drawn << 17
	return l.drawn
}

func (l *httpLine) Close() error { return l.conn.Close() }

// Handshakes connects anew for each request, with a whole TLS handshake, and closes then.
type Handshakes struct {
	Target
	Request []byte
	Answer  int
}

// Dial makes a line; it connects with each exchange.
func (h *Handshakes) Dial(ctx context.Context, n int) (Line, error) {
	return &handshakeLine{of: h, ctx: ctx, number: n}, nil
}

type handshakeLine struct {
	of     *Handshakes
	ctx    context.Context //nolint:containedctx // the one that it was dialled with
	number int
}

func (l *handshakeLine) Exchange(n int) error {
	conn, err := l.of.dial(l.ctx, l.number+n)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it was answered, or has failed already
	var in inbox
	return in.ask(&timed{Conn: conn}, l.of.Request, l.of.Answer)
}

func (l *handshakeLine) Close() error { return nil }

// timed is a connection whose deadline is moved now and then, not with each exchange.
type timed struct {
	net.Conn
	until time.Time
}

func (t *timed) keep() error {
	now := time.Now()
	if t.until.Sub(now) > answerTimeout/2 {
		return nil
	}
	t.until = now.Add(answerTimeout)
	return t.SetDeadline(t.until)
}

// inbox is what was read of a connection and not used yet.
type inbox struct {
	held     []byte
	from, to int
}

// inboxSize fits a plain answer. Longer ones are read in parts: 10,000 connections that idle are to cost their client little.
const inboxSize = 2048

var errTooMuch = errors.New("bytes came that nobody asked for")

// ask sends a request, and reads its answer.
func (b *inbox) ask(conn *timed, request []byte, answer int) error {
	status, length, err := b.exchange(conn, request)
	if err == nil && (status != statusOK || answer >= 0 && length != answer) {
		return fmt.Errorf("answered %d with %d bytes instead of 200 with %d", status, length, answer)
	}
	return err
}

// askInVain sends a request that is to be refused.
func (b *inbox) askInVain(conn *timed, request []byte) error {
	status, _, err := b.exchange(conn, request)
	if err == nil && status != statusForbidden {
		return fmt.Errorf("answered %d instead of 403", status)
	}
	return err
}

// exchange sends a request, and reads its answer whole.
func (b *inbox) exchange(conn *timed, request []byte) (status, length int, _ error) {
	if err := conn.keep(); err != nil {
		return 0, 0, err
	}
	if _, err := conn.Write(request); err != nil {
		return 0, 0, err //nolint:wrapcheck // says what
	}
	head, err := b.head(conn)
	if err != nil {
		return 0, 0, err
	}
	if status, length, err = parseHead(head); err != nil {
		return 0, 0, err
	}
	if err := b.skip(conn, length); err != nil {
		return 0, 0, err
	}
	if b.from != b.to {
		return 0, 0, errTooMuch
	}
	return status, length, nil
}

var headEnd = []byte("\r\n\r\n")

// head reads up to the end of a head, and returns it; it is good until the next read.
func (b *inbox) head(conn net.Conn) ([]byte, error) {
	if b.from == b.to {
		b.from, b.to = 0, 0
	}
	for {
		if end := bytes.Index(b.held[b.from:b.to], headEnd); end >= 0 {
			head := b.held[b.from : b.from+end+len(headEnd)]
			b.from += len(head)
			return head, nil
		}
		if err := b.more(conn); err != nil {
			return nil, err
		}
	}
}

// longestHead bounds what is read for one.
const longestHead = 64 << 10

// more reads once.
func (b *inbox) more(conn net.Conn) error {
	if b.to == len(b.held) {
		if b.to >= longestHead {
			return fmt.Errorf("a head longer than %d bytes", longestHead)
		}
		b.held = append(b.held, make([]byte, max(len(b.held), inboxSize))...)
	}
	n, err := conn.Read(b.held[b.to:])
	b.to += n
	if n > 0 {
		return nil
	}
	return err //nolint:wrapcheck // io.EOF says what
}

// skip reads a body of that length.
func (b *inbox) skip(conn net.Conn, length int) error {
	for length > 0 {
		if b.from == b.to {
			b.from, b.to = 0, 0
			if length > len(b.held) { // its own size from now on
				b.held = make([]byte, length+inboxSize)
			}
			if err := b.more(conn); err != nil {
				return err
			}
		}
		n := min(b.to-b.from, length)
		b.from += n
		length -= n
	}
	return nil
}

const statusOK, statusForbidden = 200, 403

var lengthField = []byte("\r\ncontent-length:")

// parseHead reads the status and the length of the body.
func parseHead(head []byte) (status, length int, _ error) {
	const version = "HTTP/1.1 "
	if len(head) < len(version)+3 || string(head[:len(version)]) != version {
		return 0, 0, fmt.Errorf("no answer of HTTP/1.1: %.80q", head)
	}
	status, ok := digits(head[len(version) : len(version)+3])
	if !ok {
		return 0, 0, fmt.Errorf("no status: %.80q", head)
	}
	at := indexFold(head, lengthField)
	if at < 0 {
		return 0, 0, fmt.Errorf("an answer %d without Content-Length", status)
	}
	rest := head[at+len(lengthField):]
	rest = rest[:bytes.IndexByte(rest, '\r')]
	if length, ok = digits(bytes.TrimSpace(rest)); !ok {
		return 0, 0, fmt.Errorf("no length: %q", rest)
	}
	return status, length, nil
}

// digits reads a number of at most nine digits.
func digits(text []byte) (number int, ok bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		number = number*10 + int(c-'0')
	}
	return number, true
}

// indexFold finds a line's beginning in lower case, whatever the case of the head's.
func indexFold(head, lower []byte) int {
	for at := 0; ; at++ {
		next := bytes.IndexByte(head[at:], lower[0])
		if next < 0 || len(head)-at-next < len(lower) {
			return -1
		}
		at += next
		if bytes.EqualFold(head[at:at+len(lower)], lower) {
			return at
		}
	}
}
