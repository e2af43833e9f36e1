package http1

import (
	"bytes"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Bounds on what comes behind the last chunk.
const (
	maxTrailer       = 8 << 10 // bytes, the empty line counted
	maxTrailerFields = 32
)

// trailers takes what is behind the last chunk, up to the empty line (RFC 9112, section 7.1.2).
func (b *Body) trailers() (bool, error) {
	r := b.from
	window := r.buf[r.start:r.end]
	if len(window) > 0 && window[0] == '\r' { // none
		switch {
		case len(window) == 1:
			return false, nil
		case window[1] != '\n':
			return false, ErrBareCR
		}
		r.start += len("\r\n")
		b.chunk = atEnd
		return true, nil
	}
	end, err := headEnd(window, b.searched)
	switch {
	case err != nil:
		return false, err
	case end > maxTrailer || end == 0 && len(window) >= maxTrailer:
		return false, ErrTrailerLong
	case end == 0:
		b.searched = len(window)
		return false, nil
	}
	r.start += end
	b.chunk = atEnd
	return true, b.addTrailers(window[:end])
}

// addTrailers reads trailers. They outlive the body: whoever gets them looks at them when it is read.
func (b *Body) addTrailers(lines []byte) error {
	var head Head
	var fields pipeline.Header
	switch err := head.fields(bytes.Clone(lines), maxTrailerFields, &fields); err {
	case nil:
	case ErrFieldsMany:
		return ErrTrailerLong
	default:
		return ErrTrailer
	}
	for _, f := range fields.Fields() {
		if !MayTrail(f.Name) {
			return ErrTrailer
		}
	}
	if b.trailer != nil {
		for _, f := range fields.Fields() {
			b.trailer.Add(f.Name, f.Value)
		}
	}
	return nil
}

// notBehind are fields by which a recipient frames, routes, authenticates or processes a message: too late behind the body (RFC 9110,
// section 6.5.1), and a means to smuggle them past whoever looks at the head alone. Names that begin with If- belong to them.
var notBehind = [...]string{
	"Content-Length", "Transfer-Encoding", "Trailer", "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Upgrade", "Expect",
	"Max-Forwards", "Range", "Authorization", "Proxy-Authorization", "Proxy-Authenticate", "Www-Authenticate", "Cookie", "Set-Cookie",
	"Content-Type", "Content-Encoding", "Content-Range", "Cache-Control", "Pragma", "Age", "Expires", "Date", "Vary", "Location", "Retry-After",
	"Forwarded",
}

// MayTrail tells whether a field may come behind a body.
func MayTrail(name string) bool {
	const conditional = "If-"
	if len(name) >= len(conditional) && pipeline.EqualFold(name[:len(conditional)], conditional) {
		return false
	}
	for _, not := range notBehind {
		if pipeline.EqualFold(name, not) {
			return false
		}
	}
	return !isFraming(name)
}
