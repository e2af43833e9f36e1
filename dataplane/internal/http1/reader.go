package http1

import (
	"bytes"
	"io"
)

// Limits bound a head. All are needed.
type Limits struct {
	// StartLine is the longest first line, in bytes.
	StartLine int
	// Head is the largest head, in bytes.
	Head int
	// Fields is how many there may be.
	Fields int
}

// Reader reads messages off a connection, one behind the other. It belongs to one goroutine at a time. The zero value is to be Attached.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // what is read and not taken yet: buf[start:end]
	lent       int // buf[:lent] is the head that strings share
	body       Body
}

// minWindow is how much room a body needs behind a head.
const minWindow = 4 << 10

// Attach makes the reader read from src, into buf. Nothing of what it was attached to before remains.
func (r *Reader) Attach(src io.Reader, buf []byte) {
	*r = Reader{src: src, buf: buf[:cap(buf)]}
}

// Buffered returns how many bytes were read that nobody has taken: those of a message that came too early, or of one under way.
func (r *Reader) Buffered() int { return r.end - r.start }

// Detach gives the buffer back, if nothing is in it and nothing is lent of it; nil: something is. Lend makes the reader usable again.
func (r *Reader) Detach() []byte {
	if r.start != r.end || r.lent != 0 {
		return nil
	}
	buf := r.buf
	r.buf, r.start, r.end = nil, 0, 0
	return buf
}

// Lend gives a detached reader a buffer.
func (r *Reader) Lend(buf []byte) { r.buf = buf[:cap(buf)] }

// Holds tells whether the reader has a buffer.
func (r *Reader) Holds() bool { return r.buf != nil }

// Release ends the lending of the last head, and of the body that came with it. What came behind is moved to the buffer's front.
func (r *Reader) Release() {
	r.poison()
	r.lent = 0
	r.end = copy(r.buf, r.buf[r.start:r.end])
	r.start = 0
}

// ReadHead returns the next head, from its first line to its empty line. io.EOF: the connection ended where no message had begun;
// io.ErrUnexpectedEOF: inside one. Other errors are an *Error or the connection's own.
func (r *Reader) ReadHead(limits *Limits) ([]byte, error) {
	searched := r.start
	for {
		if end, err := headEnd(r.buf[r.start:r.end], searched-r.start); err != nil {
			return nil, err
		} else if end > 0 {
			if end > limits.Head {
				return nil, ErrHeadLarge
			}
			head := r.buf[r.start : r.start+end]
			r.start += end
			r.lent = r.start
			return head, nil
		}
		if r.end-r.start >= limits.Head {
			return nil, r.tooLarge(limits)
		}
		searched = max(r.start, r.end-len(emptyLine)+1)
		if r.end == len(r.buf) {
			searched -= r.makeRoom(limits.Head)
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.end > r.start { //nolint:errorlint // fill returns it bare
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

var emptyLine = []byte("\r\n\r\n")

// headEnd returns the length of the head that b begins with, 0 if its end isn't there yet. What lies before from was searched already.
// A bare LF is refused as soon as it is seen: the end might never come.
func headEnd(b []byte, from int) (int, error) {
	if at := bytes.Index(b[from:], emptyLine); at >= 0 {
		return from + at + len(emptyLine), nil
	}
	for i := from; i < len(b); {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			break
		}
		i += lf
		if i == 0 || b[i-1] != '\r' {
			return 0, ErrBareLF
		}
		i++
	}
	return 0, nil
}

// tooLarge says of a head without an end what is too long.
func (r *Reader) tooLarge(limits *Limits) error {
	if bytes.IndexByte(r.buf[r.start:r.end], '\n') < 0 && limits.StartLine <= limits.Head {
		return ErrTargetLong
	}
	return ErrHeadLarge
}

// makeRoom moves what isn't taken to the front of a buffer that has room for more, and returns by how much it has moved.
func (r *Reader) makeRoom(most int) (moved int) {
	moved = r.start
	unread := r.buf[r.start:r.end]
	if r.lent > 0 || r.start == 0 {
		size := max(2*len(unread), minWindow)
		if most > 0 {
			size = min(size, max(most+minWindow, len(unread)+minWindow))
		}
		r.buf = make([]byte, size)
		r.lent = 0 // the strings keep the old memory alive
	}
	r.end = copy(r.buf, unread)
	r.start = 0
	return moved
}

// fill reads once, behind what is there.
func (r *Reader) fill() error {
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err //nolint:wrapcheck // io.EOF must stay what it is
}

// refill reads once where nothing is left to take, behind what is lent.
func (r *Reader) refill() error {
	if r.start == r.end {
		r.start, r.end = r.lent, r.lent
	}
	if len(r.buf)-r.end < minWindow/2 {
		r.makeRoom(0)
	}
	return r.fill()
}
