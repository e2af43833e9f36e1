package state

import (
	"bufio"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// frames reads a file's frames.
type frames struct {
	r     *bufio.Reader
	seal  *sealer
	index uint64
	at    int64 // where the next frame begins
	left  int64 // bytes from there to the end of the file
	buf   []byte
}

const readAhead = 256 << 10

// openFrames reads a file's header. A file too short to hold one is errTorn.
func openFrames(f file, key []byte, what string) (*frames, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size < int64(headerSize) {
		return nil, errTorn
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), readAhead)
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	s, err := readHeader(header, key, what)
	if err != nil {
		return nil, err
	}
	return &frames{r: r, seal: s, at: int64(headerSize), left: size - int64(headerSize)}, nil
}

// next returns the next frame's plaintext, good until the call after; io.EOF behind the last one. errTorn: the file ends inside the
// frame.
func (f *frames) next() ([]byte, error) {
	if f.left == 0 {
		return nil, io.EOF
	}
	if f.left < frameHeader {
		return nil, errTorn
	}
	var header [frameHeader]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header[:4])
	if !hmac.Equal(header[4:], f.seal.check(f.index, length)) {
		return nil, f.unreadable(header)
	}
	if length < sealOverhead || length > maxFrame+sealOverhead {
		return nil, fmt.Errorf("%w: record %d has %d bytes", ErrDamaged, f.index, length)
	}
	if f.left < frameHeader+int64(length) {
		return nil, errTorn
	}
	if uint32(cap(f.buf)) < length {
		f.buf = make([]byte, length)
	}
	if _, err := io.ReadFull(f.r, f.buf[:length]); err != nil {
		return nil, err
	}
	plain, err := f.seal.open(f.index, f.buf[:length])
	if err != nil {
		return nil, err
	}
	f.index++
	f.at += frameHeader + int64(length)
	f.left -= frameHeader + int64(length)
	return plain, nil
}

// unreadable tells a frame that was never written from one that was changed: after a power loss a file may be longer than what
// reached the disk, and is zero there.
func (f *frames) unreadable(header [frameHeader]byte) error {
	if header != [frameHeader]byte{} {
		return fmt.Errorf("%w: record %d is none", ErrDamaged, f.index)
	}
	for {
		b, err := f.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return errTorn
		case err != nil:
			return err
		case b != 0:
			return fmt.Errorf("%w: record %d is none", ErrDamaged, f.index)
		}
	}
}
