package harness

import (
	"crypto/sha1" //nolint:gosec // the protocol's own
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Opcodes of WebSocket frames (RFC 6455, section 5.2).
const (
	Continuation = 0
	Text         = 1
	Binary       = 2
	Close        = 8
	Ping         = 9
	Pong         = 10
)

// Frame is one frame of a WebSocket.
type Frame struct {
	Opcode  byte
	Final   bool
	Payload []byte
}

// CloseFrame returns the frame that ends a WebSocket with a code.
func CloseFrame(code uint16, reason string) Frame {
	return Frame{Opcode: Close, Final: true, Payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
}

// Code returns the code of a Close frame; 0: it has none.
func (f Frame) Code() int {
	if f.Opcode != Close || len(f.Payload) < 2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

const (
	webSocketKey  = "dGhlIHNhbXBsZSBub25jZQ=="
	webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + webSocketGUID)) // #nosec G401 -- the protocol's own
	return base64.StdEncoding.EncodeToString(sum[:])
}

// AskWebSocket asks for a WebSocket; fields are lines of the head. What is answered is for the caller to read: Answer.
func (w *Wire) AskWebSocket(host, path string, fields ...string) error {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: " + host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + webSocketKey,
	}, fields...)
	return w.Say(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// OpenWebSocket asks for a WebSocket and returns once the service has switched.
func (w *Wire) OpenWebSocket(host, path string, fields ...string) error {
	if err := w.AskWebSocket(host, path, fields...); err != nil {
		return err
	}
	answer, err := http.ReadResponse(w.In, &http.Request{Method: http.MethodGet})
	if err != nil {
		return fmt.Errorf("open a WebSocket: %w", err)
	}
	_ = answer.Body.Close() // it has none
	if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-Websocket-Accept") != acceptOf(webSocketKey) {
		return fmt.Errorf("open a WebSocket: answered %d %v", answer.StatusCode, answer.Header) //nolint:err113 // for the test's log
	}
	return nil
}

// TakeWebSocket reads a request for a WebSocket, as a service does, and switches.
func (w *Wire) TakeWebSocket() (Recorded, error) {
	request, err := w.Request()
	if err != nil {
		return Recorded{}, err
	}
	key := request.Header.Get("Sec-Websocket-Key")
	if key == "" || request.Header.Get("Upgrade") != "websocket" {
		return Recorded{}, fmt.Errorf("no WebSocket was asked for: %v", request.Header) //nolint:err113 // for the test's log
	}
	return request, w.Say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + acceptOf(key) + "\r\n\r\n")
}

// SendFrame sends a frame, masked as a client must.
func (w *Wire) SendFrame(f Frame) error { return w.sendFrame(f, [4]byte{0x37, 0xfa, 0x21, 0x3d}) }

// ReturnFrame sends a frame as a service does.
func (w *Wire) ReturnFrame(f Frame) error { return w.sendFrame(f, [4]byte{}) }

func (w *Wire) sendFrame(f Frame, mask [4]byte) error {
	const final, masked, two, eight = 0x80, 0x80, 126, 127
	first, second := f.Opcode, byte(0)
	if f.Final {
		first |= final
	}
	if mask != [4]byte{} {
		second = masked
	}
	b := []byte{first}
	switch n := len(f.Payload); {
	case n < two:
		b = append(b, second|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, second|two), uint16(n)) // #nosec G115 -- checked
	default:
		b = binary.BigEndian.AppendUint64(append(b, second|eight), uint64(n))
	}
	if second != 0 {
		b = append(b, mask[:]...)
	}
	for i, c := range f.Payload {
		b = append(b, c^mask[i%len(mask)])
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("send a frame: %w", err)
	}
	return nil
}

var errFrameLarge = errors.New("a frame is larger than any that a test sends")

// ReadFrame reads a frame of either side.
func (w *Wire) ReadFrame() (Frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(w.In, head[:]); err != nil {
		return Frame{}, fmt.Errorf("read a frame: %w", err)
	}
	f := Frame{Opcode: head[0] & 0x0f, Final: head[0]&0x80 != 0}
	length := uint64(head[1] & 0x7f)
	var more [8]byte
	if wide := map[uint64]int{126: 2, 127: 8}[length]; wide > 0 {
		if _, err := io.ReadFull(w.In, more[8-wide:]); err != nil {
			return Frame{}, fmt.Errorf("read a frame's length: %w", err)
		}
		length = binary.BigEndian.Uint64(more[:])
	}
	if length > maxAnswer {
		return Frame{}, errFrameLarge
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(w.In, mask[:]); err != nil {
			return Frame{}, fmt.Errorf("read a frame's mask: %w", err)
		}
	}
	f.Payload = make([]byte, length)
	if _, err := io.ReadFull(w.In, f.Payload); err != nil {
		return Frame{}, fmt.Errorf("read a frame's payload: %w", err)
	}
	for i := range f.Payload {
		f.Payload[i] ^= mask[i%len(mask)]
	}
	return f, nil
}
