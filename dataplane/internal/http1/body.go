package http1

import (
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Body reads the body behind a head. It is the reader's own: it ends with Release, and the next message takes it over.
type Body struct {
	from    *Reader
	framing Framing
	left    int64 // of the body, or of the chunk
	err     error // what Read returns from now on; io.EOF at the end

	chunk    chunkState
	searched int // bytes of the trailers that are known not to end them
	trailer  *pipeline.Header
}

// Body returns the body of the message whose head was read last. Trailers are added to trailer once the body is at its end, if they are all
// good; nil: nobody wants them.
func (r *Reader) Body(h *Head, trailer *pipeline.Header) *Body {
	b := &r.body
	*b = Body{from: r, framing: h.Framing, left: h.ContentLength, trailer: trailer}
	if h.Framing == None {
		b.err = io.EOF
	}
	return b
}

// AtEnd tells whether the whole body was read.
func (b *Body) AtEnd() bool { return b.err == io.EOF } //nolint:errorlint // it is kept bare

// Front returns what has come of the body already, as far as it can be had without reading or decoding; none of a chunked one. It is valid
// until the next call of anything else but Discard.
func (b *Body) Front() []byte {
	if b.framing != Length || b.err != nil {
		return nil
	}
	r := b.from
	return r.buf[r.start:min(int64(r.end), int64(r.start)+b.left)]
}

// Discard takes n bytes of Front as read.
func (b *Body) Discard(n int) {
	if n == 0 {
		return // of a body without Front too
	}
	b.from.start += n
	if b.left -= int64(n); b.left == 0 {
		b.err = io.EOF
	}
}

// Read implements io.Reader. io.EOF comes with the last bytes, as far as it is known by then. Other errors are an *Error,
// io.ErrUnexpectedEOF, or the connection's own, and stay.
func (b *Body) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	switch b.framing {
	case Length:
		n, err = b.from.take(p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); b.left == 0 {
			b.err = io.EOF
			return n, io.EOF
		}
		err = unexpected(err)
	case Chunked:
		n, err = b.readChunked(p)
	case UntilClose:
		n, err = b.from.take(p)
	case None:
		err = io.EOF
	}
	b.err = err
	return n, err
}

// unexpected is the error of a read inside a body.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // the reader returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}
