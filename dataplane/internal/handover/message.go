package handover

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// version of the protocol. A process that speaks another one is refused in words.
const version = 1

// kind of a message.
type kind string

const (
	hello   kind = "hello"   // next: may I take over? version, process, build
	refused kind = "refused" // running: no; reason
	offer   kind = "offer"   // running: these are the sockets; their names, and as many open files
	ready   kind = "ready"   // next: I could serve; where I am
	wait    kind = "wait"    // running: not before you are there
	serve   kind = "serve"   // running: serve
	serving kind = "serving" // next: I do
)

// message is one of either side. Fields that a build doesn't know are passed over.
type message struct {
	Kind    kind     `json:"kind"`
	Version int      `json:"version,omitempty"`
	Process int      `json:"process,omitempty"`
	Build   string   `json:"build,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Names   []string `json:"names,omitempty"`
	Epoch   uint64   `json:"epoch,omitempty"`
	Number  uint64   `json:"number,omitempty"`
	// Alone: the control plane isn't heard.
	Alone bool `json:"alone,omitempty"`
}

const (
	lengthBytes = 4
	// maxMessage bounds a message, in bytes, and maxFiles what comes with one.
	maxMessage = 8 << 10
	maxFiles   = 8
)

// errMessage says that what was read is no message.
var errMessage = errors.New("handover: what the other process says is no message")

func encode(m message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	if len(body) > maxMessage {
		return nil, fmt.Errorf("handover: a message of %d bytes", len(body))
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...), nil
}

// cut returns the first message and its length; 0: it isn't there as a whole.
func cut(b []byte) (m message, length int, err error) {
	if len(b) < lengthBytes {
		return m, 0, nil
	}
	size := binary.BigEndian.Uint32(b)
	if size == 0 || size > maxMessage {
		return m, 0, fmt.Errorf("%w: it would have %d bytes", errMessage, size)
	}
	length = lengthBytes + int(size)
	if len(b) < length {
		return m, 0, nil
	}
	if err := json.Unmarshal(b[lengthBytes:length], &m); err != nil {
		return message{}, 0, fmt.Errorf("%w: %w", errMessage, err)
	}
	return m, length, nil
}

// wire is a connection to the other process. One goroutine uses it.
type wire struct {
	conn   *net.UnixConn
	unread []byte
	files  []*os.File // that came along with what is unread
}

// send sends a message, and files with it.
func (w *wire) send(m message, within time.Duration, files ...int) error {
	body, err := encode(m)
	if err != nil {
		return err
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	n, _, err := w.conn.WriteMsgUnix(body, rights, nil)
	if err == nil && n < len(body) {
		_, err = w.conn.Write(body[n:])
	}
	if err != nil {
		return fmt.Errorf("handover: say %s: %w", m.Kind, err)
	}
	return nil
}

// receive returns the next message. After a timeout it can be called again: what came until then isn't lost. Files that come with anything
// but an offer are none of ours to have.
func (w *wire) receive(until time.Time) (message, error) {
	if err := w.conn.SetReadDeadline(until); err != nil {
		return message{}, fmt.Errorf("handover: %w", err)
	}
	for {
		m, length, err := cut(w.unread)
		if err != nil {
			return m, err
		}
		if length > 0 {
			w.unread = append(w.unread[:0], w.unread[length:]...)
			if m.Kind != offer && len(w.files) > 0 {
				return m, fmt.Errorf("%w: files with %q", errMessage, m.Kind)
			}
			return m, nil
		}
		if err := w.read(); err != nil {
			return m, err
		}
	}
}

func (w *wire) read() error {
	chunk := make([]byte, lengthBytes+maxMessage)
	control := make([]byte, syscall.CmsgSpace(maxFiles*lengthBytes))
	n, nc, flags, _, err := w.conn.ReadMsgUnix(chunk, control)
	taken := w.take(control[:nc])
	switch {
	case err != nil:
		return fmt.Errorf("handover: listen to the other process: %w", err)
	case taken != nil:
		return taken
	case flags&syscall.MSG_CTRUNC != 0 || len(w.files) > maxFiles:
		return fmt.Errorf("%w: it comes with too many files", errMessage)
	case n == 0:
		return fmt.Errorf("handover: the other process has gone: %w", io.EOF)
	}
	w.unread = append(w.unread, chunk[:n]...)
	return nil
}

// take owns the files of a control message.
func (w *wire) take(control []byte) error {
	if len(control) == 0 {
		return nil
	}
	parts, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	for _, part := range parts {
		numbers, err := syscall.ParseUnixRights(&part)
		if err != nil {
			return fmt.Errorf("%w: %w", errMessage, err)
		}
		for _, number := range numbers {
			w.files = append(w.files, os.NewFile(uintptr(number), "handed over"))
		}
	}
	return nil
}

func (w *wire) close() {
	_ = w.conn.Close() // nothing left to lose
	for _, file := range w.files {
		_ = file.Close() // nobody wants it
	}
	w.files = nil
}
