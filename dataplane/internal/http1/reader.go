package http1

import (
	"bytes"
	"errors"
	"io"
)

var errReleased = errors.New("the message was released")

// Limits bound a head. All are needed.
type Limits struct {
	// StartLine is the longest first line, in bytes, CRLF not counted.
	StartLine int
	// Head is the largest head, in bytes, from its first to the empty line, that counted.
	Head int
	// Fields is how many there may be.
	Fields int
}

// Reader reads messages off a connection, one behind the other. It belongs to one goroutine at a time. The zero value is to be Attached.
//
// The buffer holds, in this order: the head that strings share, what was read of the body and handed over (or nothing), what is unread, room.
type Reader struct {
	src        io.Reader
	buf        []byte
	lent       int    // buf[:lent] holds the head that strings share
	start, end int    // what is read and not taken yet: buf[start:end]; start >= lent
	outgrown   []byte // the buffer before, if the lent head stayed in it
	body       Body
}

const (
	// minBuffer is the least that is allocated.
	minBuffer = 4 << 10
	// minRoom is the least room that is worth a read.
	minRoom = 512
	// ample is how large a caller's memory must be for the body to be read straight into it.
	ample = 4 << 10
)

// Attach makes the reader read from src, into buf. Nothing of what it was attached to before remains.
func (r *Reader) Attach(src io.Reader, buf []byte) {
	*r = Reader{src: src, buf: buf[:cap(buf)]}
}

// Buffered returns how many bytes were read that nobody has taken: those of a message that came too early, or of one under way.
func (r *Reader) Buffered() int { return r.end - r.start }

// Detach gives the buffer back, if nothing is in it and nothing is lent of it; nil: something is. It is not always the one that was
// lent: a head that didn't fit has made it larger. Lend makes the reader usable again.
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

// Room returns the memory that the next head will be read into, for who knows already that it has come; nil: there is none.
func (r *Reader) Room() []byte {
	if r.start != r.end || r.lent != 0 {
		return nil
	}
	r.start, r.end = 0, 0
	return r.buf
}

// Release ends the lending of the last head, and the body that came with it. What came behind stays for the next one.
func (r *Reader) Release() {
	r.poison()
	r.body.err = errReleased // who still holds it must not read the next message
	r.lent, r.outgrown = 0, nil
	switch {
	case r.start == r.end:
		r.start, r.end = 0, 0
	case r.start > len(r.buf)/2: // seldom enough that pipelined requests aren't moved again and again
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
}

// ReadHead returns the next head, from its first line to its empty line. io.EOF: the connection ended where no message had begun;
// io.ErrUnexpectedEOF: inside one. Other errors are an *Error or the connection's own; after one of those, such as a deadline, it may be
// called again.
func (r *Reader) ReadHead(limits *Limits) ([]byte, error) {
	searched := 0 // of what is unread
	for {
		unread := r.buf[r.start:r.end]
		end, err := headEnd(unread, searched)
		if err != nil {
			return nil, err
		}
		if err := exceeds(unread, end, limits); err != nil {
			return nil, err
		}
		if end > 0 {
			r.start += end
			r.lent = r.start
			return unread[:end:end], nil
		}
		searched = len(unread)
		if r.end == len(r.buf) {
			r.makeRoom(limits.Head + minBuffer)
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.end > r.start { //nolint:errorlint // fill returns it bare
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// headEnd returns the length of the head that b begins with, 0 if its end isn't there yet. No line ends before from.
// A bare LF is refused as soon as it is seen: the end might never come.
func headEnd(b []byte, from int) (int, error) {
	for i := from; ; i++ {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return 0, nil
		}
		i += lf
		if i == 0 || b[i-1] != '\r' {
			return 0, ErrBareLF
		}
		if i >= 3 && b[i-2] == '\n' { // which is behind a CR, as was seen before
			return i + 1, nil
		}
	}
}

// exceeds tells what of a head is too long: of one that ends there, or (0) of the beginning of one.
func exceeds(unread []byte, end int, limits *Limits) error {
	if end == 0 && len(unread) > limits.StartLine+len("\r") && bytes.IndexByte(unread[:limits.StartLine+len("\r\n")], '\n') < 0 {
		return ErrTargetLong
	}
	if end > limits.Head || end == 0 && len(unread) >= limits.Head {
		return ErrHeadLarge
	}
	return nil
}

// makeRoom moves what is unread to where the lent head ends. If the room behind it is still too small, all goes to a larger buffer of up
// to most bytes, and the strings of the head keep the old one.
func (r *Reader) makeRoom(most int) {
	unread := r.buf[r.start:r.end]
	if len(r.buf)-r.lent-len(unread) < minRoom {
		r.outgrown = r.buf[:r.lent]
		r.buf = make([]byte, min(max(2*len(unread), minBuffer), most))
		r.lent = 0
	}
	r.end = r.lent + copy(r.buf[r.lent:], unread)
	r.start = r.lent
}

// more reads behind what is unread.
func (r *Reader) more() error {
	if r.start == r.end {
		r.start, r.end = r.lent, r.lent
	}
	if len(r.buf)-r.end < minRoom {
		r.makeRoom(maxTrailer + minBuffer)
	}
	return r.fill()
}

// fill reads once into the room that there is.
func (r *Reader) fill() error {
	n, err := r.read(r.buf[r.end:])
	r.end += n
	return err
}

// take hands over what is there; if nothing is, it reads, straight into p if that is ample.
func (r *Reader) take(p []byte) (int, error) {
	if r.start == r.end {
		if len(p) >= ample {
			return r.read(p)
		}
		if err := r.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.start:r.end])
	r.start += n
	return n, nil
}

// read reads once. What comes with an error is taken first: the error comes again, as those of a connection do.
func (r *Reader) read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	switch {
	case n > 0:
		return n, nil
	case err == nil:
		return 0, io.ErrNoProgress
	default:
		return 0, err //nolint:wrapcheck // io.EOF must stay what it is
	}
}
