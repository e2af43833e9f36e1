package http1

import (
	"bytes"
	"errors"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Body reads the body behind a head. It is the reader's own: the next message takes it over.
type Body struct {
	from    *Reader
	framing Framing
	left    int64 // of the body, or of the chunk
	state   chunkState
	trailer *pipeline.Header
	err     error // what Read returns from now on; io.EOF at the end
}

type chunkState uint8

const (
	atSize chunkState = iota
	inData
	atDataEnd
	atTrailer
)

// Bounds on what a chunked body has besides data.
const (
	sizeDigits    = 15      // of a chunk's size, so that it surely fits
	maxTrailer    = 8 << 10 // bytes
	trailerFields = 32
)

// Body returns the body of the message whose head was read last. Its trailers are added to trailer once it is at its end.
func (r *Reader) Body(h *Head, trailer *pipeline.Header) *Body {
	b := &r.body
	*b = Body{from: r, framing: h.Framing, left: h.ContentLength, trailer: trailer}
	if h.Framing == None {
		b.err = io.EOF
	}
	return b
}

// AtEnd tells whether the whole body was read.
func (b *Body) AtEnd() bool { return errors.Is(b.err, io.EOF) }

// Front returns what has come of the body already, as far as it can be had without reading or decoding; none of a chunked one. It is valid until
// the next call of anything else but Discard.
func (b *Body) Front() []byte {
	if b.framing != Length || b.err != nil {
		return nil
	}
	r := b.from
	return r.buf[r.start:min(int64(r.end), int64(r.start)+b.left)]
}

// Discard takes n bytes of Front as read.
func (b *Body) Discard(n int) {
	b.from.start += n
	if b.left -= int64(n); b.left == 0 {
		b.err = io.EOF
	}
}

// Read implements io.Reader. io.EOF comes with the last bytes. Errors are an *Error, io.ErrUnexpectedEOF, or the connection's own.
func (b *Body) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.framing {
	case Length:
		n, err = b.readLength(p)
	case Chunked:
		n, err = b.readChunked(p)
	case UntilClose:
		n, err = b.from.take(p)
		if err == io.EOF { //nolint:errorlint // take returns it bare
			b.err = err
			return n, err
		}
	case None:
		return 0, io.EOF
	}
	if err != nil {
		if err == io.EOF && !b.AtEnd() { //nolint:errorlint // as above
			err = io.ErrUnexpectedEOF
		}
		b.err = err
	}
	return n, err
}

func (b *Body) readLength(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.from.take(p)
	if b.left -= int64(n); b.left == 0 {
		b.err = io.EOF
		return n, io.EOF
	}
	return n, err
}

// take hands over what is there, else reads: straight into p if that is as large as the buffer's window would be.
func (r *Reader) take(p []byte) (int, error) {
	if r.start < r.end {
		n := copy(p, r.buf[r.start:r.end])
		r.start += n
		return n, nil
	}
	if len(p) >= minWindow {
		return r.src.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
	}
	if err := r.refill(); err != nil {
		return 0, err
	}
	n := copy(p, r.buf[r.start:r.end])
	r.start += n
	return n, nil
}

// readChunked decodes what is there, and reads only while it has nothing to hand over (RFC 9112, section 7.1).
func (b *Body) readChunked(p []byte) (n int, _ error) {
	r := b.from
	for {
		ok, err := true, error(nil)
		switch b.state {
		case atSize:
			ok, err = b.size()
		case inData:
			took := copy(p[n:min(int64(len(p)), int64(n)+b.left)], r.buf[r.start:r.end])
			r.start += took
			n += took
			if b.left -= int64(took); b.left == 0 {
				b.state = atDataEnd
			} else {
				ok = took > 0
			}
		case atDataEnd:
			ok, err = b.dataEnd()
		case atTrailer:
			ok, err = b.trailers()
		}
		if err != nil {
			return n, err
		}
		if n == len(p) && b.state == inData {
			return n, nil
		}
		if ok {
			continue
		}
		if n > 0 {
			return n, nil // reading might wait
		}
		if b.state == inData && len(p) >= minWindow {
			return b.direct(p)
		}
		if err := r.more(); err != nil {
			return n, err
		}
	}
}

// direct reads a chunk's data straight into p.
func (b *Body) direct(p []byte) (int, error) {
	n, err := b.from.src.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		b.state = atDataEnd
	}
	if n > 0 {
		return n, nil
	}
	return 0, err //nolint:wrapcheck // io.EOF must stay what it is
}

// more reads behind what is there, which isn't enough.
func (r *Reader) more() error {
	if r.start == r.end {
		return r.refill()
	}
	if r.end == len(r.buf) {
		r.makeRoom(0)
	}
	return r.fill()
}

// size reads a line with a chunk's size; false: it isn't there whole.
func (b *Body) size() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	var size int64
	for i, c := range window {
		if digit, ok := hex(c); ok && i < sizeDigits {
			size = size<<4 | int64(digit)
			continue
		}
		switch {
		case i == 0 || i > sizeDigits:
			return false, ErrChunkSize
		case c == ';' || c == ' ' || c == '\t':
			return false, ErrChunkExt
		case c != '\r':
			return false, ErrChunkSize
		case i+1 == len(window):
			return false, nil
		case window[i+1] != '\n':
			return false, ErrBareCR
		}
		r.start += i + 2
		b.left, b.state = size, inData
		if size == 0 {
			b.state = atTrailer
		}
		return true, nil
	}
	return false, nil
}

// dataEnd reads the CRLF behind a chunk's data.
func (b *Body) dataEnd() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	if len(window) > 0 && window[0] != '\r' || len(window) > 1 && window[1] != '\n' {
		return false, ErrChunkEnd
	}
	if len(window) < 2 {
		return false, nil
	}
	r.start += 2
	b.state = atSize
	return true, nil
}

// trailers reads what is behind the last chunk, up to the empty line.
func (b *Body) trailers() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	if len(window) >= 2 && window[0] == '\r' && window[1] == '\n' {
		r.start += 2
		b.err = io.EOF
		return true, io.EOF
	}
	if len(window) < 2 && (len(window) == 0 || window[0] == '\r') {
		return false, nil
	}
	end, err := headEnd(window, 0)
	if err != nil {
		return false, err
	}
	if end == 0 && len(window) <= maxTrailer {
		return false, nil
	}
	if end == 0 || end > maxTrailer {
		return false, ErrTrailerLong
	}
	lines := bytes.Clone(window[:end]) // they outlive the window
	r.start += end
	if err := b.addTrailers(lines); err != nil {
		return false, err
	}
	b.err = io.EOF
	return true, io.EOF
}

func (b *Body) addTrailers(lines []byte) error {
	had := b.trailer.Len()
	var ignored Head
	if err := ignored.fields(lines, trailerFields, b.trailer); err != nil {
		if err == ErrFieldsMany {
			return ErrTrailerLong
		}
		return ErrTrailer
	}
	for _, f := range b.trailer.Fields()[had:] {
		if !mayTrail(f.Name) {
			return ErrTrailer
		}
	}
	return nil
}

// hex returns the value of a hexadecimal digit.
func hex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// notBehind are fields by which a recipient frames, routes or authenticates a message: too late behind the body (RFC 9110, section 6.5.1).
var notBehind = [...]string{
	"Content-Length", "Transfer-Encoding", "Trailer", "Host", "Connection", "Keep-Alive", "Te", "Upgrade", "Expect", "Max-Forwards",
	"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Content-Type", "Content-Encoding", "Content-Range",
	"Cache-Control", "Location", "Www-Authenticate", "Proxy-Authenticate",
}

func mayTrail(name string) bool {
	for _, not := range notBehind {
		if pipeline.EqualFold(name, not) {
			return false
		}
	}
	return true
}
