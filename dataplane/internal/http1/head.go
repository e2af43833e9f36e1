package http1

import (
	"bytes"
	"unsafe"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Framing tells where a body ends (RFC 9112, section 6.3).
type Framing uint8

// How bodies end.
const (
	// None: there is no body.
	None Framing = iota
	// Length: after as many bytes as Content-Length says.
	Length
	// Chunked: with the last chunk.
	Chunked
	// UntilClose: with the connection; answers alone.
	UntilClose
)

// Head is what requests and answers have in common: what the fields of their heads say of the connection and the body.
type Head struct {
	// Minor version of HTTP/1: 0 or 1.
	Minor uint8
	// Framing of the body.
	Framing Framing
	// ContentLength in bytes: 0 without a body, -1 if it is not known beforehand.
	ContentLength int64
	// Close tells that the sender ends the connection after this message.
	Close bool
	// Upgrade is the protocol that Upgrade names, if Connection does so too; "": none.
	Upgrade string

	noted noted
}

// noted is what fields said, before it is judged as a whole.
type noted struct {
	length                   int64
	hasLength, hasCoding     bool
	closes, keeps, upgrading bool
	hosts                    int
	host                     string
	expects                  bool
	upgrade                  string
}

// text lends bytes as a string: it lives as long as they aren't written to.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // the Reader's promise

// fields reads field lines up to the empty line into the header, and notes what matters to the message itself.
func (h *Head) fields(lines []byte, most int, into *pipeline.Header) *Error {
	for {
		end := bytes.IndexByte(lines, '\n')
		if end < 1 || lines[end-1] != '\r' {
			return ErrBareLF // or the line isn't there, which whoever cut the head off has excluded
		}
		line := lines[:end-1]
		lines = lines[end+1:]
		if len(line) == 0 {
			return nil
		}
		if most--; most < 0 {
			return ErrFieldsMany
		}
		name, value, err := field(line)
		if err != nil {
			return err
		}
		if err := h.note(name, value); err != nil {
			return err
		}
		into.Add(name, value)
	}
}

// field takes a line apart.
func field(line []byte) (name, value string, _ *Error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", ErrFold
	}
	colon := 0
	for colon < len(line) && classes[line[colon]]&isToken != 0 {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return "", "", ErrFieldName
	}
	rest := line[colon+1:]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		rest = rest[1:]
	}
	for len(rest) > 0 && (rest[len(rest)-1] == ' ' || rest[len(rest)-1] == '\t') {
		rest = rest[:len(rest)-1]
	}
	for _, c := range rest {
		if classes[c]&inValue == 0 {
			if c == '\r' {
				return "", "", ErrBareCR
			}
			return "", "", ErrFieldValue
		}
	}
	return text(line[:colon]), text(rest), nil
}

// Names that matter to framing and connection. A look at the length spares nearly every field the comparison.
const (
	hostName       = "Host"
	expectName     = "Expect"
	upgradeName    = "Upgrade"
	connectionName = "Connection"
	lengthName     = "Content-Length"
	codingName     = "Transfer-Encoding"
)

// note keeps what a field says of the message.
func (h *Head) note(name, value string) *Error {
	n := &h.noted
	switch len(name) {
	case len(hostName):
		if pipeline.EqualFold(name, hostName) {
			n.hosts++
			n.host = value
		}
	case len(expectName):
		if pipeline.EqualFold(name, expectName) {
			if n.expects || !pipeline.EqualFold(value, "100-continue") {
				return ErrExpect
			}
			n.expects = true
		}
	case len(upgradeName):
		if pipeline.EqualFold(name, upgradeName) {
			n.upgrade = value
		}
	case len(connectionName):
		if pipeline.EqualFold(name, connectionName) {
			n.options(value)
		}
	case len(lengthName):
		return n.ofLength(name, value)
	case len(codingName):
		return n.ofCoding(name, value)
	}
	return nil
}

func (n *noted) ofLength(name, value string) *Error {
	if !pipeline.EqualFold(name, lengthName) {
		return twin(name, lengthName)
	}
	length, ok := number(value)
	if n.hasLength || !ok {
		return ErrLength
	}
	n.hasLength, n.length = true, length
	return nil
}

func (n *noted) ofCoding(name, value string) *Error {
	switch {
	case !pipeline.EqualFold(name, codingName):
		return twin(name, codingName)
	case n.hasCoding:
		return ErrCoding
	case !pipeline.EqualFold(value, "chunked"):
		return ErrCodingUnknown
	}
	n.hasCoding = true
	return nil
}

// twin refuses a name that other software reads as one of framing: Transfer_Encoding, Content.Length.
func twin(name, of string) *Error {
	for i := range len(of) {
		if c := name[i]; c|0x20 != of[i]|0x20 && (of[i] != '-' || classes[c]&isDigit != 0 || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return nil
		}
	}
	return ErrFramingTwin
}

// options reads what Connection lists.
func (n *noted) options(list string) {
	for list != "" {
		option := list
		list = ""
		for i := range len(option) {
			if option[i] == ',' {
				option, list = option[:i], option[i+1:]
				break
			}
		}
		for option != "" && (option[0] == ' ' || option[0] == '\t') {
			option = option[1:]
		}
		for option != "" && (option[len(option)-1] == ' ' || option[len(option)-1] == '\t') {
			option = option[:len(option)-1]
		}
		n.closes = n.closes || pipeline.EqualFold(option, "close")
		n.keeps = n.keeps || pipeline.EqualFold(option, "keep-alive")
		n.upgrading = n.upgrading || pipeline.EqualFold(option, "upgrade")
	}
}

// number reads a length: decimal digits alone (RFC 9110, section 8.6).
func number(s string) (int64, bool) {
	const most = 18 // digits that surely fit
	if s == "" || len(s) > most {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if classes[s[i]]&isDigit == 0 {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, true
}

// settle judges what the fields said together, for requests and answers alike.
func (h *Head) settle() *Error {
	n := &h.noted
	if n.hasCoding && n.hasLength {
		return ErrLengthAndCoding
	}
	if n.hasCoding && h.Minor == 0 {
		return ErrCoding
	}
	h.Close = n.closes || h.Minor == 0 && !n.keeps
	if n.upgrading && h.Minor == 1 {
		h.Upgrade = n.upgrade
	}
	switch {
	case n.hasCoding:
		h.Framing, h.ContentLength = Chunked, -1
	case n.length > 0:
		h.Framing, h.ContentLength = Length, n.length
	default:
		h.Framing, h.ContentLength = None, 0
	}
	return nil
}

// version reads "HTTP/1.0" or "HTTP/1.1".
func version(b []byte) (minor uint8, ok bool) {
	const before = "HTTP/1."
	if len(b) != len(before)+1 || string(b[:len(before)]) != before {
		return 0, false
	}
	minor = b[len(before)] - '0'
	return minor, minor <= 1
}
