package samples

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sample is a request as rules look at it, without its credentials.
type Sample struct {
	Method, Path, Query, Proto, Host string

	Header []Field
	// Body is whole; nil: there was none, or none that is inspected.
	Body   []byte
	Client netip.Addr
	// Refused says that the inspection refused it.
	Refused bool
}

// Field is one header field.
type Field struct{ Name, Value string }

// size returns how many bytes append adds at most.
func (s *Sample) size() int {
	const length, flags, address = binary.MaxVarintLen32, 1, 18
	n := flags + length + address + length + len(s.Body) + length
	for _, text := range [...]string{s.Method, s.Path, s.Query, s.Proto, s.Host} {
		n += length + len(text)
	}
	for _, f := range s.Header {
		n += 2*length + len(f.Name) + len(f.Value)
	}
	return n
}

// append adds the sample's bytes to b.
func (s *Sample) append(b []byte) []byte {
	var flags byte
	if s.Refused {
		flags |= 1
	}
	if s.Body != nil {
		flags |= 2
	}
	b = append(b, flags)
	b = appendText(b, string(s.Client.AsSlice()))
	for _, text := range [...]string{s.Method, s.Path, s.Query, s.Proto, s.Host} {
		b = appendText(b, text)
	}
	b = appendText(b, s.Body)
	b = binary.AppendUvarint(b, uint64(len(s.Header)))
	for _, f := range s.Header {
		b = appendText(appendText(b, f.Name), f.Value)
	}
	return b
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errCut = errors.New("the bytes of a sample end too early")

// parse reads what append wrote.
func parse(b []byte) (Sample, error) {
	var s Sample
	if len(b) == 0 {
		return s, errCut
	}
	flags := b[0]
	r := reader{rest: b[1:]}
	s.Refused = flags&1 != 0
	s.Client, _ = netip.AddrFromSlice([]byte(r.text()))
	for _, text := range [...]*string{&s.Method, &s.Path, &s.Query, &s.Proto, &s.Host} {
		*text = r.text()
	}
	if body := r.text(); flags&2 != 0 {
		s.Body = []byte(body)
	}
	for range r.number(uint64(len(r.rest))) {
		s.Header = append(s.Header, Field{r.text(), r.text()})
	}
	return s, r.err
}

// reader reads texts off bytes. After an error all are empty.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) number(most uint64) uint64 {
	n, read := binary.Uvarint(r.rest)
	if r.err != nil || read <= 0 || n > most {
		r.rest, r.err = nil, errCut
		return 0
	}
	r.rest = r.rest[read:]
	return n
}

func (r *reader) text() string {
	n := r.number(uint64(len(r.rest)))
	if n > uint64(len(r.rest)) {
		r.rest, r.err = nil, errCut
		return ""
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}
