package snapshotfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

var (
	// ErrNone is returned for what doesn't begin as a snapshot file of this version.
	ErrNone = errors.New("not a snapshot file of this version")
	// ErrSealed is returned for a file that isn't what was written, or not with this key.
	ErrSealed = errors.New("the snapshot file was changed, or sealed with another key")
	// ErrTorn is returned for a file that ends too early.
	ErrTorn = errors.New("the snapshot file was cut short")
)

// Reader reads a file: the manifest at once, then the directory, then the configuration.
type Reader struct {
	in       io.Reader
	seal     *seal
	manifest *edgev1.SnapshotManifest
	at       section // of what is left
	left     []byte  // of the frame that is being read
	ended    bool    // it is the last one
	frame    []byte
	err      error
}

// Open reads a file's manifest.
func Open(in io.Reader, key Key) (*Reader, error) {
	header := make([]byte, len(magic)+saltSize)
	if n, err := io.ReadFull(in, header); err != nil || string(header[:len(magic)]) != magic {
		if err != nil && n >= len(magic) && string(header[:len(magic)]) == magic {
			return nil, torn(err)
		}
		return nil, errors.Join(ErrNone, unexpected(err))
	}
	s, err := newSeal(key, header[len(magic):])
	if err != nil {
		return nil, err
	}
	r := &Reader{in: in, seal: s, manifest: new(edgev1.SnapshotManifest)}
	if err := r.next(); err != nil {
		return nil, err
	}
	if r.at != manifestSection || proto.Unmarshal(r.left, r.manifest) != nil {
		return nil, fmt.Errorf("%w: no manifest", ErrNone)
	}
	if r.ended {
		return nil, ErrTorn
	}
	if err := r.next(); err != nil {
		return nil, err
	}
	return r, nil
}

// Manifest returns what the file begins with.
func (r *Reader) Manifest() *edgev1.SnapshotManifest { return r.manifest }

// Directory returns the directory's compressed state, to be read to its end before Configuration.
func (r *Reader) Directory() io.Reader { return part{r, directorySection} }

// Configuration returns the configuration's compressed state. Its end is the file's.
func (r *Reader) Configuration() io.Reader { return part{r, configurationSection} }

// part is one section.
type part struct {
	file *Reader
	of   section
}

// Read implements io.Reader.
func (p part) Read(b []byte) (int, error) {
	r := p.file
	for {
		switch {
		case r.err != nil:
			return 0, r.err
		case r.at < p.of:
			return 0, errOrder
		case r.at > p.of:
			return 0, io.EOF
		case len(r.left) > 0:
			n := copy(b, r.left)
			r.left = r.left[n:]
			return n, nil
		case r.ended:
			return 0, r.end()
		}
		r.err = r.next()
	}
}

// end makes sure that the file ends where its last frame does.
func (r *Reader) end() error {
	if r.at != configurationSection {
		return ErrTorn
	}
	var more [1]byte
	switch _, err := io.ReadFull(r.in, more[:]); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return fmt.Errorf("snapshot file: %w", err)
	}
	return fmt.Errorf("%w: there is more behind its end", ErrSealed)
}

// next opens the next frame.
func (r *Reader) next() error {
	var head [4]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return torn(err)
	}
	length := binary.LittleEndian.Uint32(head[:])
	r.ended = length&lastFrame != 0
	length &^= lastFrame
	if length <= tagSize || length > 1+frameData+tagSize {
		return ErrSealed
	}
	if uint32(cap(r.frame)) < length {
		r.frame = make([]byte, length)
	}
	sealed := r.frame[:length]
	if _, err := io.ReadFull(r.in, sealed); err != nil {
		return torn(err)
	}
	plain, err := r.seal.aead.Open(sealed[:0], r.seal.nonce(), sealed, head[:])
	if err != nil {
		return ErrSealed
	}
	to := section(plain[0])
	if to < r.at || to > r.at+1 || to > configurationSection {
		return fmt.Errorf("%w: its parts are in another order", ErrSealed)
	}
	r.at, r.left = to, plain[1:]
	return nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTorn
	}
	return fmt.Errorf("snapshot file: %w", err)
}

// unexpected returns an error but for those that say that there was no more to read.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
