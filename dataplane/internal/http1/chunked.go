package http1

import (
	"io"
)

// chunkState is what comes next in a chunked body (RFC 9112, section 7.1).
type chunkState uint8

const (
	atSize chunkState = iota
	inData
	atDataEnd
	atTrailers
	atEnd
)

// maxSizeDigits bounds a chunk's size, so that it surely fits.
const maxSizeDigits = 15

// readChunked decodes what is there, and reads only while it has nothing to hand over: else it might wait while somebody waits for it.
func (b *Body) readChunked(p []byte) (n int, _ error) {
	r := b.from
	for {
		if b.chunk == inData {
			took := copy(p[n:min(int64(len(p)), int64(n)+b.left)], r.buf[r.start:r.end])
			r.start += took
			n += took
			b.taken(took)
			if b.chunk == inData && n == len(p) {
				return n, nil
			}
		}
		advanced, err := b.advance()
		switch {
		case err != nil:
			return n, err
		case b.chunk == atEnd:
			return n, io.EOF
		case advanced:
			continue
		case n > 0:
			return n, nil
		case b.chunk == inData && len(p) >= ample:
			return b.readData(p)
		}
		if err := r.more(); err != nil {
			return 0, unexpected(err)
		}
	}
}

// advance takes one element other than data, if it is there whole.
func (b *Body) advance() (bool, error) {
	switch b.chunk {
	case atSize:
		return b.size()
	case atDataEnd:
		return b.dataEnd()
	case atTrailers:
		return b.trailers()
	default:
		return false, nil
	}
}

// readData reads a chunk's data straight into p.
func (b *Body) readData(p []byte) (int, error) {
	n, err := b.from.read(p[:min(int64(len(p)), b.left)])
	b.taken(n)
	return n, unexpected(err)
}

// taken counts data.
func (b *Body) taken(n int) {
	if b.left -= int64(n); b.left == 0 {
		b.chunk = atDataEnd
	}
}

// size takes the line with a chunk's size.
func (b *Body) size() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	var size int64
	for i, c := range window {
		if digit, ok := hex(c); ok && i < maxSizeDigits {
			size = size<<4 | int64(digit)
			continue
		}
		switch {
		case i == 0:
			return false, ErrChunkSize
		case c == ';' || c == ' ' || c == '\t':
			return false, ErrChunkExt
		case c == '\n':
			return false, ErrBareLF
		case c != '\r':
			return false, ErrChunkSize
		case i+1 == len(window):
			return false, nil
		case window[i+1] != '\n':
			return false, ErrBareCR
		}
		r.start += i + len("\r\n")
		b.left, b.chunk = size, inData
		if size == 0 {
			b.chunk = atTrailers
		}
		return true, nil
	}
	return false, nil
}

// dataEnd takes the CRLF behind a chunk's data.
func (b *Body) dataEnd() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	if len(window) > 0 && window[0] != '\r' || len(window) > 1 && window[1] != '\n' {
		return false, ErrChunkEnd
	}
	if len(window) < len("\r\n") {
		return false, nil
	}
	r.start += len("\r\n")
	b.chunk = atSize
	return true, nil
}
