package payload

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
)

// maxCodings is how many content codings may lie on top of each other.
const maxCodings = 2

// Content codings (RFC 9110, section 8.4.1, and RFC 7932).
const (
	Identity = "identity"
	Gzip     = "gzip"
	Deflate  = "deflate"
	Brotli   = "br"
)

// ParseCodings reads a Content-Encoding (several fields of it joined by commas) and returns the codings in the order in which they were applied, without "identity". A
// coding that isn't known, an empty entry and more than two codings are a *Fault.
func ParseCodings(text string) ([]string, error) {
	codings, f := parseCodings(text)
	if f != nil {
		return nil, f
	}
	return codings, nil
}

func parseCodings(text string) ([]string, *Fault) {
	if text == "" {
		return nil, nil
	}
	var codings []string
	for n, rest, more := 0, text, true; more; n++ {
		if n == maxCodings {
			return nil, fault("content_coding", "The body has more than %d content codings.", maxCodings)
		}
		var name string
		name, rest, more = strings.Cut(rest, ",")
		switch name = strings.ToLower(strings.Trim(name, " \t")); name {
		case Identity:
		case Gzip, Deflate, Brotli:
			codings = append(codings, name)
		case "x-gzip": // the same (RFC 9110, section 8.4.1.3)
			codings = append(codings, Gzip)
		default:
			return nil, fault("content_coding", "The body has a content coding that isn't taken; gzip, deflate and br are.")
		}
	}
	return codings, nil
}

// What decoders hold beside what they give, in bytes.
const (
	inflateMemory = 64 << 10 // window, tables and buffers
	brotliMemory  = 64 << 10 // without the window, of which the body itself says how large it is
)

// undo undoes one coding. At most so many bytes come of it, and not one more is made than is needed to know that there are more.
func (s *Share) undo(coding string, coded []byte, most int64) ([]byte, error) {
	working := int64(inflateMemory)
	if coding == Brotli {
		working = brotliMemory + brotliWindow(coded)
	}
	if !s.Take(working) {
		return nil, ErrNoMemory
	}
	defer s.Give(working)
	source := bytes.NewReader(coded)
	decoder, err := open(coding, source)
	if err != nil {
		return nil, fault("content_coding", "The body isn't %s as its Content-Encoding says.", coding)
	}
	plain, err := s.readAll(decoder, most, 4*int64(len(coded)))
	if err != nil {
		s.Give(int64(cap(plain)))
		return nil, undone(coding, err)
	}
	// One more member, or whatever else stands behind, is read by some and left out by others.
	if source.Len() > 0 {
		s.Give(int64(cap(plain)))
		return nil, fault("content_coding", "Something stands behind the end of the %s data.", coding)
	}
	return plain, nil
}

// undone says what became of a body that couldn't be read.
func undone(coding string, err error) error {
	switch {
	case errors.Is(err, ErrNoMemory), errors.Is(err, ErrTooLarge):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault("content_coding", "The %s data breaks off.", coding)
	}
	return fault("content_coding", "The body isn't %s as its Content-Encoding says.", coding)
}

func open(coding string, source *bytes.Reader) (io.Reader, error) {
	switch coding {
	case Gzip:
		r, err := gzip.NewReader(source)
		if err != nil {
			return nil, err //nolint:wrapcheck // it is told by a fault
		}
		r.Multistream(false)
		return r, nil
	case Deflate: // in the format of zlib (RFC 9110, section 8.4.1.2); without it, as some send it, it could be anything
		return zlib.NewReader(source) //nolint:wrapcheck // it is told by a fault
	default:
		return brotli.NewReader(source), nil
	}
}

// readAll reads to the end, in steps that are paid for before they are made.
func (s *Share) readAll(source io.Reader, most, guess int64) ([]byte, error) {
	var plain []byte
	for {
		if len(plain) == cap(plain) {
			room := min(max(2*int64(cap(plain)), leastRead, guess), most+1)
			if !s.Take(room) {
				return plain, ErrNoMemory
			}
			grown := make([]byte, len(plain), room)
			copy(grown, plain)
			s.Give(int64(cap(plain)))
			plain = grown
		}
		n, err := source.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case int64(len(plain)) > most:
			return plain, ErrTooLarge
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return plain, nil
		case err != nil:
			return plain, err //nolint:wrapcheck // it is told by a fault
		}
	}
}

// brotliWindow returns how large a window a stream asks for (RFC 7932, section 9.1): a decoder makes it as large, however little comes.
func brotliWindow(coded []byte) int64 {
	if len(coded) == 0 {
		return 0
	}
	bits := 16
	if first := int(coded[0]); first&1 != 0 {
		middle, high := first>>1&7, first>>4&7
		switch {
		case middle != 0:
			bits = 17 + middle
		case high == 0:
			bits = 17
		default:
			bits = 8 + high
		}
	}
	return 1 << bits
}
