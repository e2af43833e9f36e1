package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// WebSocket sends messages that come back.
type WebSocket struct {
	Target
	// Host that is asked for, and Path.
	Host, Path string
}

// Dial opens a WebSocket.
func (w *WebSocket) Dial(ctx context.Context, n int) (Line, error) {
	conn, err := w.dial(ctx, n)
	if err != nil {
		return nil, err
	}
	l := &webSocketLine{conn: timed{Conn: conn}}
	if err := l.open(w); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

type webSocketLine struct {
	conn timed
	in   inbox
}

func (l *webSocketLine) open(w *WebSocket) error {
	if err := l.conn.keep(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(l.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", w.Path, w.Host)
	if err != nil {
		return fmt.Errorf("ask for a WebSocket: %w", err)
	}
	head, err := l.in.head(l.conn)
	if err != nil {
		return fmt.Errorf("ask for a WebSocket: %w", err)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return fmt.Errorf("asked for a WebSocket, answered %q", line)
	}
	return nil
}

const messageSize = 120

// A whole text message of [messageSize] bytes, as a client sends it, masked with zeros, and as a server sends it back.
var (
	sentMessage  = append([]byte{0x81, 0x80 | messageSize, 0, 0, 0, 0}, bytes.Repeat([]byte("x"), messageSize)...)
	takenMessage = append([]byte{0x81, messageSize}, bytes.Repeat([]byte("x"), messageSize)...)
)

func (l *webSocketLine) Exchange(int) error {
	if err := l.conn.keep(); err != nil {
		return err
	}
	if _, err := l.conn.Write(sentMessage); err != nil {
		return err //nolint:wrapcheck // says what
	}
	if l.in.from == l.in.to {
		l.in.from, l.in.to = 0, 0
	}
	for l.in.to-l.in.from < len(takenMessage) {
		if err := l.in.more(l.conn); err != nil {
			return err
		}
	}
	if !bytes.Equal(l.in.held[l.in.from:l.in.to], takenMessage) {
		return errors.New("another message came back")
	}
	l.in.from = l.in.to
	return nil
}

func (l *webSocketLine) Close() error { return l.conn.Close() }
