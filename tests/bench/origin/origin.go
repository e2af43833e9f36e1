package origin

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Lengths of the bodies that are answered.
const (
	ShortAnswer = 64
	LongAnswer  = 10 << 10
)

// Origin is a running service.
type Origin struct {
	// Address of it, host:port.
	Address string

	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

// Start starts one on loopback; Close ends it.
func Start(ctx context.Context) (*Origin, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the service behind the gateways: %w", err)
	}
	o := &Origin{Address: listener.Addr().String(), listener: listener, open: map[net.Conn]struct{}{}}
	o.serving.Go(o.accept)
	return o, nil
}

// Close ends the service and its connections.
func (o *Origin) Close() {
	_ = o.listener.Close() // nobody comes any more
	o.mu.Lock()
	o.closed = true
	for conn := range o.open {
		_ = conn.Close()
	}
	o.mu.Unlock()
	o.serving.Wait()
}

func (o *Origin) accept() {
	for {
		conn, err := o.listener.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		if o.closed {
			_ = conn.Close()
		} else {
			o.open[conn] = struct{}{}
			o.serving.Go(func() { o.serve(conn) })
		}
		o.mu.Unlock()
	}
}

func (o *Origin) serve(conn net.Conn) {
	_ = answer(conn) // a gateway that leaves needs no telling
	o.mu.Lock()
	delete(o.open, conn)
	o.mu.Unlock()
	_ = conn.Close()
}

var (
	short = ready(ShortAnswer)
	long  = ready(LongAnswer)
)

func ready(length int) []byte {
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
	return append([]byte(head), bytes.Repeat([]byte("o"), length)...)
}

const (
	readSize    = 16 << 10
	longestHead = 32 << 10
)

// answer answers one request after the other.
func answer(conn net.Conn) error {
	held := make([]byte, 0, readSize)
	for {
		head, rest, ok := bytes.Cut(held, []byte("\r\n\r\n"))
		if !ok {
			if len(held) > longestHead {
				return errors.New("a head without end")
			}
			var err error
			if held, err = more(conn, held); err != nil {
				return err
			}
			continue
		}
		fields, err := read(head)
		if err != nil {
			return err
		}
		if fields.webSocketKey != "" {
			return echo(conn, rest, fields.webSocketKey)
		}
		if rest, err = skip(conn, rest, fields.length); err != nil {
			return err
		}
		ready := short
		if fields.length > 0 {
			ready = long
		}
		if _, err := conn.Write(ready); err != nil {
			return err //nolint:wrapcheck // says what
		}
		held = held[:copy(held[:cap(held)], rest)]
	}
}

func more(conn net.Conn, held []byte) ([]byte, error) {
	if len(held) == cap(held) {
		held = append(held, make([]byte, readSize)...)[:len(held)]
	}
	n, err := conn.Read(held[len(held):cap(held)])
	if n > 0 {
		return held[:len(held)+n], nil
	}
	return nil, err //nolint:wrapcheck // io.EOF is no surprise
}

// atLeast reads until that many bytes are there.
func atLeast(conn net.Conn, held []byte, bytes int) (_ []byte, err error) {
	for len(held) < bytes && err == nil {
		held, err = more(conn, held)
	}
	return held, err
}

// skip reads a body away, of which the beginning is there.
func skip(conn net.Conn, rest []byte, length int) ([]byte, error) {
	if length <= len(rest) {
		return rest[length:], nil
	}
	_, err := io.CopyN(io.Discard, conn, int64(length-len(rest)))
	return nil, err //nolint:wrapcheck // io.EOF is no surprise
}

// fields are what matters of a request.
type fields struct {
	length       int
	webSocketKey string
}

func read(head []byte) (f fields, err error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		// By the first letter and the length before by the name: most lines are none of ours.
		switch colon := bytes.IndexByte(line, ':'); colon {
		case len("content-length"):
			if bytes.EqualFold(line[:colon], []byte("content-length")) {
				if f.length, err = strconv.Atoi(string(bytes.TrimSpace(line[colon+1:]))); err != nil {
					return f, fmt.Errorf("a body's length: %w", err)
				}
			}
		case len("sec-websocket-key"): // as long as "transfer-encoding"
			switch name := strings.ToLower(string(line[:colon])); name {
			case "sec-websocket-key":
				f.webSocketKey = string(bytes.TrimSpace(line[colon+1:]))
			case "transfer-encoding":
				return f, errors.New("a body without a length: gateways are measured with one")
			}
		}
	}
	return f, nil
}

// acceptGUID is RFC 6455's, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// echo agrees to a WebSocket and sends back whole messages of up to 125 bytes; what else may come ends it.
func echo(conn net.Conn, early []byte, key string) error {
	sum := sha1.Sum([]byte(key + acceptGUID)) //nolint:gosec // RFC 6455 asks for it
	_, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		return fmt.Errorf("agree to a WebSocket: %w", err)
	}
	const masked, maskAt, head, longest = 0x80, 2, 6, 125
	held := append(make([]byte, 0, readSize), early...)
	for {
		if held, err = atLeast(conn, held, maskAt); err != nil {
			return err
		}
		length := int(held[1] &^ masked)
		if held[1]&masked == 0 || length > longest {
			return errors.New("a message that isn't a client's, or a long one")
		}
		if held, err = atLeast(conn, held, head+length); err != nil {
			return err
		}
		mask := [4]byte(held[maskAt:head])
		message := held[head : head+length]
		for i := range message {
			message[i] ^= mask[i%len(mask)]
		}
		held[maskAt+2], held[maskAt+3] = held[0], byte(length)
		if _, err := conn.Write(held[maskAt+2 : head+length]); err != nil {
			return err //nolint:wrapcheck // says what
		}
		held = held[:copy(held, held[head+length:])]
	}
}
