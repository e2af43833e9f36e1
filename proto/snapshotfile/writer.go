package snapshotfile

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// section tells what a frame carries.
type section byte

const (
	manifestSection section = iota + 1
	directorySection
	configurationSection
)

var errOrder = errors.New("snapshot file: the directory comes first, then the configuration")

// Writer writes a file. Close ends it; a file that wasn't ended is no file.
type Writer struct {
	out  io.Writer
	seal *seal
	at   section
	held []byte // the frame that isn't written yet: it may be the last one
	err  error
}

// NewWriter begins a file.
func NewWriter(out io.Writer, key Key, manifest *edgev1.SnapshotManifest) (*Writer, error) {
	header := make([]byte, len(magic)+saltSize)
	copy(header, magic)
	rand.Read(header[len(magic):]) // never fails: the runtime ends the process instead
	s, err := newSeal(key, header[len(magic):])
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(header); err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	if len(body) > frameData {
		return nil, fmt.Errorf("snapshot file: the manifest has %d bytes, at most %d", len(body), frameData)
	}
	w := &Writer{out: out, seal: s}
	if err := w.write(manifestSection, body); err != nil {
		return nil, err
	}
	return w, nil
}

// Directory writes a piece of the directory's compressed state.
func (w *Writer) Directory(p []byte) error { return w.write(directorySection, p) }

// Configuration writes a piece of the configuration's compressed state.
func (w *Writer) Configuration(p []byte) error { return w.write(configurationSection, p) }

func (w *Writer) write(to section, p []byte) error {
	if w.err == nil && (to < w.at || to > w.at+1) {
		w.err = errOrder
	}
	for first := true; w.err == nil && (first || len(p) > 0); first = false {
		n := min(len(p), frameData)
		w.flush(0)
		w.held = append(append(w.held[:0], byte(to)), p[:n]...)
		p = p[n:]
	}
	w.at = to
	return w.err
}

// flush writes the frame that is held.
func (w *Writer) flush(mark uint32) {
	if w.err != nil || len(w.held) == 0 {
		return
	}
	frame := binary.LittleEndian.AppendUint32(nil, uint32(len(w.held)+tagSize)|mark)
	frame = w.seal.aead.Seal(frame, w.seal.nonce(), w.held, frame[:4:4]) // #nosec G407 -- a counter, under the file's own key
	if _, err := w.out.Write(frame); err != nil {
		w.err = fmt.Errorf("snapshot file: %w", err)
	}
}

// Close ends the file. It doesn't close what it is written to.
func (w *Writer) Close() error {
	if w.err == nil && w.at != configurationSection {
		w.err = errOrder
	}
	w.flush(lastFrame)
	return w.err
}
