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
	// Upgrade is the protocol that the sender names in Upgrade, if Connection does so too; "": none. Of several that a client offers
	// it is the first, which it likes most; of an answer it is the value as sent, and "" if the field is repeated.
	Upgrade string

	noted noted
}

// noted is what fields said, before it is judged as a whole.
type noted struct {
	length                   int64
	hasLength, hasCoding     bool
	closes, keeps, upgrading bool
	odd                      bool // an expectation other than 100-continue
	hosts, expects, upgrades int
	host, upgrade            string
}

// text lends bytes as a string: it lives as long as they aren't written to.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // the Reader's promise

// fields reads field lines up to the empty line into the header, and notes what matters to the message itself.
func (h *Head) fields(lines []byte, most int, into *pipeline.Header) *Error {
	for {
		colon := span(lines, isToken)
		if colon == 0 || colon == len(lines) || lines[colon] != ':' {
			return nameless(lines, colon)
		}
		if most--; most < 0 {
			return ErrFieldsMany
		}
		begin := colon + 1
		for begin < len(lines) && (lines[begin] == ' ' || lines[begin] == '\t') {
			begin++
		}
		end := begin + valueSpan(lines[begin:])
		if len(lines) < end+len("\r\n") || lines[end] != '\r' || lines[end+1] != '\n' {
			return endless(lines[end:])
		}
		last := end
		for last > begin && (lines[last-1] == ' ' || lines[last-1] == '\t') {
			last--
		}
		name, value := text(lines[:colon]), text(lines[begin:last])
		if err := h.note(name, value); err != nil {
			return err
		}
		into.Add(name, value)
		lines = lines[end+len("\r\n"):]
	}
}

// nameless tells what a line is that doesn't begin with a name and a colon: the empty line, if nothing is wrong.
func nameless(lines []byte, colon int) *Error {
	switch {
	case len(lines) >= 2 && lines[0] == '\r' && lines[1] == '\n':
		return nil
	case len(lines) == 0 || colon == len(lines):
		return ErrFieldName // the line isn't there, which whoever cut the head off has excluded
	case colon > 0:
		return ErrFieldName
	case lines[0] == ' ' || lines[0] == '\t':
		return ErrFold
	case lines[0] == '\n':
		return ErrBareLF
	default:
		return ErrFieldName
	}
}

// endless tells what ends a value other than CRLF.
func endless(rest []byte) *Error {
	switch {
	case len(rest) == 0 || rest[0] == '\n':
		return ErrBareLF
	case rest[0] == '\r':
		return ErrBareCR
	default:
		return ErrFieldValue
	}
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
			n.expects++
			n.odd = n.odd || !pipeline.EqualFold(value, "100-continue")
		}
	case len(upgradeName):
		if pipeline.EqualFold(name, upgradeName) {
			n.upgrades++
			n.upgrade = value
		}
	case len(connectionName):
		if pipeline.EqualFold(name, connectionName) {
			n.options(value)
		}
	case len(lengthName), len(codingName):
		return n.framing(name, value)
	}
	return nil
}

// framing keeps what says where the body ends (RFC 9112, section 6).
func (n *noted) framing(name, value string) *Error {
	switch {
	case pipeline.EqualFold(name, lengthName):
		length, ok := number(value)
		if n.hasLength || !ok {
			return ErrLength
		}
		n.hasLength, n.length = true, length
	case pipeline.EqualFold(name, codingName):
		if n.hasCoding {
			return ErrCoding
		}
		n.hasCoding = true
		return coding(value)
	case isTwin(name):
		return ErrFramingTwin
	}
	return nil
}

// coding takes chunked alone. What ends with another coding has no end that can be told, and what repeats chunked is malformed; what ends
// with chunked is well-formed, and not implemented (RFC 9112, sections 6.1, 6.3 and 7).
func coding(value string) *Error {
	const chunked = "chunked"
	if pipeline.EqualFold(value, chunked) {
		return nil
	}
	first, rest, _ := cutList(value)
	for ; rest != ""; first, rest, _ = cutList(rest) {
		if pipeline.EqualFold(first, chunked) {
			return ErrCoding
		}
	}
	if !pipeline.EqualFold(first, chunked) {
		return ErrCoding
	}
	return ErrCodingUnknown
}

// isFraming tells whether a field says where the body ends, to us or to other software.
func isFraming(name string) bool {
	return (len(name) == len(lengthName) || len(name) == len(codingName)) && isTwin(name)
}

// isTwin tells whether software that takes separators for one another reads a name as one of framing: Transfer_Encoding, Content.Length.
func isTwin(name string) bool { return twins(name, lengthName) || twins(name, codingName) }

func twins(name, of string) bool {
	if len(name) != len(of) {
		return false
	}
	for i := range len(of) {
		if of[i] == '-' {
			if classes[name[i]]&(isAlpha|isDigit) != 0 {
				return false
			}
		} else if name[i]|0x20 != of[i]|0x20 {
			return false
		}
	}
	return true
}

// options reads what Connection lists (RFC 9110, section 7.6.1).
func (n *noted) options(list string) {
	for more := true; more; {
		var option string
		option, list, more = cutList(list)
		n.closes = n.closes || pipeline.EqualFold(option, "close")
		n.keeps = n.keeps || pipeline.EqualFold(option, "keep-alive")
		n.upgrading = n.upgrading || pipeline.EqualFold(option, "upgrade")
	}
}

// cutList takes the first element off a list (RFC 9110, section 5.6.1); more: there is a comma behind it.
func cutList(list string) (element, rest string, more bool) {
	for i := range len(list) {
		if list[i] == ',' {
			return trim(list[:i]), list[i+1:], true
		}
	}
	return trim(list), "", false
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
	if n.upgrading && n.upgrades == 1 && h.Minor == 1 {
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

// version reads "HTTP/1.0" or "HTTP/1.1" (RFC 9112, section 2.3).
func version(b []byte) (minor uint8, ok bool) {
	const before = "HTTP/1."
	if len(b) != len(before)+1 || string(b[:len(before)]) != before {
		return 0, false
	}
	minor = b[len(before)] - '0'
	return minor, minor <= 1
}

// wrongVersion tells a version that isn't spoken from what is no version.
func wrongVersion(b []byte) *Error {
	if len(b) == len("HTTP/1.1") && string(b[:5]) == "HTTP/" && classes[b[5]]&isDigit != 0 && b[6] == '.' && classes[b[7]]&isDigit != 0 {
		return ErrVersion
	}
	return ErrStartLine
}

// cutLine takes the first line, without its CRLF, off a head.
func cutLine(head []byte, limits *Limits) (line, rest []byte, _ *Error) {
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return nil, nil, ErrBareLF
	}
	if end-1 > limits.StartLine {
		return nil, nil, ErrTargetLong
	}
	return head[:end-1], head[end+1:], nil
}
