package payload

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Bounds of any multipart body.
const (
	maxParts           = 10_000
	maxPartFields      = 8
	maxPartHeaderBytes = 8 << 10
	maxBoundary        = 70 // RFC 2046, section 5.1.1
)

// partBytes is about what a part takes beside its content.
const partBytes = 512

// Part is one of multipart/form-data.
type Part struct {
	// Name of the form's field.
	Name string
	// Filename as it is stated; IsFile tells whether one is, if only "".
	Filename string
	IsFile   bool
	// Type is the part's Content-Type; the zero value: it states none, and is text.
	Type MediaType
	// Content is part of the body's. Nobody may write to it.
	Content []byte
}

// Boundary returns the boundary of a multipart media type. The error is a *Fault: there is none, or none that RFC 2046 allows, or something beside it.
func (m *MediaType) Boundary() (string, error) {
	boundary, _ := m.Parameter("boundary")
	if len(m.Parameters) != 1 || !isBoundary(boundary) {
		return "", fault("multipart_boundary", "The Content-Type of a multipart body must have a boundary as RFC 2046 allows it, and no other parameter.")
	}
	return boundary, nil
}

func isBoundary(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("'()+_,-./:=? ", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= maxBoundary && s[len(s)-1] != ' '
}

// ParseMultipart parses multipart/form-data content (RFC 7578) of which there is one reading: no preamble and no epilogue, lines that end in CRLF, boundaries that are nothing but that, no
// folded fields, each parameter once and none but name and filename, no part that is multipart itself, no transfer encoding, no charset but UTF-8. The error is a *Fault or ErrNoMemory.
func ParseMultipart(content []byte, boundary string, share *Share) ([]Part, error) {
	delimiter := []byte("--" + boundary)
	// An upper bound of the parts, before anything is made of them.
	n := bytes.Count(content, delimiter)
	if n > maxParts+1 {
		return nil, fault("multipart_parts", "The body has more than %d parts.", maxParts)
	}
	if !share.Take(int64(n) * partBytes) {
		return nil, ErrNoMemory
	}
	if !bytes.HasPrefix(content, delimiter) {
		return nil, fault("multipart_preamble", "The body doesn't begin with its boundary.")
	}
	var parts []Part
	for rest := content[len(delimiter):]; ; {
		switch {
		case bytes.HasPrefix(rest, []byte("\r\n")):
		case bytes.HasPrefix(rest, []byte("--")):
			return endMultipart(parts, rest[2:])
		default:
			return nil, fault("multipart_boundary", "A line begins with the boundary and goes on, which parsers read differently.")
		}
		raw, behind, f := cutPart(rest[2:], delimiter)
		if f != nil {
			return nil, f
		}
		part, f := parsePart(raw)
		if f != nil {
			return nil, f
		}
		parts, rest = append(parts, part), behind
	}
}

// endMultipart judges what stands behind the last boundary.
func endMultipart(parts []Part, rest []byte) ([]Part, error) {
	if len(rest) > 0 && string(rest) != "\r\n" {
		return nil, fault("multipart_epilogue", "Something stands behind the last boundary.")
	}
	if len(parts) == 0 {
		return nil, fault("multipart_empty", "The body has no part.")
	}
	return parts, nil
}

// cutPart cuts a part at the next line that begins with the delimiter. What only some parsers would take for the beginning of a line must not be in front of one.
func cutPart(rest, delimiter []byte) (part, behind []byte, _ *Fault) {
	for from := 0; ; {
		at := bytes.Index(rest[from:], delimiter)
		if at < 0 {
			return nil, nil, fault("multipart_truncated", "The body has no last boundary.")
		}
		at += from
		switch {
		case at >= 2 && rest[at-2] == '\r' && rest[at-1] == '\n':
			return rest[:at-2], rest[at+len(delimiter):], nil
		case at == 0, rest[at-1] == '\n', rest[at-1] == '\r':
			return nil, nil, fault("multipart_boundary", "A boundary doesn't stand on a line of its own behind CRLF.")
		}
		from = at + 1
	}
}

// parsePart reads a part's fields; what is behind the empty line is its content.
func parsePart(raw []byte) (part Part, _ *Fault) {
	var seen []string
	disposed := false
	for size := 0; ; {
		line, rest, ended := bytes.Cut(raw, []byte("\r\n"))
		switch size += len(line); {
		case !ended:
			return part, fault("multipart_header", "The fields of a part have no end.")
		case size > maxPartHeaderBytes || len(seen) > maxPartFields:
			return part, fault("multipart_header", "The fields of a part are too many or too long.")
		}
		if raw = rest; len(line) == 0 {
			break
		}
		name, value, f := partField(line)
		if f != nil {
			return part, f
		}
		for _, before := range seen {
			if before == name {
				return part, fault("multipart_header", "A field of a part comes twice.")
			}
		}
		seen = append(seen, name)
		switch name {
		case "content-disposition":
			disposed = true
			f = part.dispose(value)
		case "content-type":
			f = part.setType(value)
		case "content-transfer-encoding":
			f = checkTransfer(value)
		}
		if f != nil {
			return part, f
		}
	}
	if !disposed {
		return part, fault("multipart_header", "A part has no Content-Disposition.")
	}
	part.Content = raw
	return part, part.checkText()
}

// partField reads one field. Its name comes back in lower case.
func partField(line []byte) (name, value string, _ *Fault) {
	before, after, ok := strings.Cut(string(line), ":")
	if !ok || !isToken(before) { // white space in front of it would continue the field before
		return "", "", fault("multipart_header", "A line of a part's header isn't a field, or continues one.")
	}
	for i := range len(after) {
		if c := after[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", fault("multipart_header", "A field of a part has a control character.")
		}
	}
	if !utf8.ValidString(after) {
		return "", "", fault("multipart_header", "A field of a part isn't valid UTF-8.")
	}
	return strings.ToLower(before), strings.Trim(after, " \t"), nil
}

// dispose reads the Content-Disposition (RFC 7578, section 4.2).
func (p *Part) dispose(value string) *Fault {
	kind, rest := cutParameters(value)
	parameters, f := parseParameters(rest)
	switch {
	case f != nil:
		return fault("multipart_disposition", "A part's Content-Disposition can't be read in one way: %s", f.Reason)
	case !strings.EqualFold(kind, "form-data"):
		return fault("multipart_disposition", "A part's Content-Disposition isn't form-data.")
	}
	for _, parameter := range parameters {
		switch parameter.Name {
		case "name":
			p.Name = parameter.Value
		case "filename":
			p.Filename, p.IsFile = parameter.Value, true
		default: // filename* above all, which RFC 7578 forbids
			return fault("multipart_disposition", "A part's Content-Disposition has a parameter other than name and filename.")
		}
		if strings.Contains(parameter.Value, "=?") {
			return fault("multipart_disposition", "A part's name is encoded as in mail, which parsers read differently.")
		}
	}
	switch {
	case p.Name == "":
		return fault("multipart_disposition", "A part has no name.")
	case strings.ContainsRune(p.Filename, '/'):
		return fault("multipart_filename", "A file's name has a path.")
	}
	return nil
}

func (p *Part) setType(value string) *Fault {
	media, f := parseMediaType(value)
	switch {
	case f != nil:
		return fault("multipart_type", "A part's Content-Type isn't a media type.")
	case media.Type == "multipart" || media.Type == "message":
		return fault("multipart_nested", "A part is a message of parts itself.")
	case !media.IsUTF8():
		return fault("multipart_charset", "A part's charset isn't UTF-8.")
	}
	p.Type = media
	return nil
}

// checkTransfer lets through what says nothing: RFC 7578, section 4.7, does away with the field.
func checkTransfer(value string) *Fault {
	switch strings.ToLower(value) {
	case "7bit", "8bit", "binary":
		return nil
	}
	return fault("multipart_transfer", "A part has a transfer encoding.")
}

// checkText judges a field's text: it is UTF-8, and says nothing of the kind that other fields weren't.
func (p *Part) checkText() *Fault {
	switch {
	case p.IsFile, p.Type.Type != "" && p.Type.Type != "text":
	case !utf8.Valid(p.Content):
		return fault("multipart_utf8", "A field of the form isn't valid UTF-8.")
	case p.Name == "_charset_" && !strings.EqualFold(string(p.Content), "utf-8"):
		return fault("multipart_charset", "The form names a charset other than UTF-8.")
	}
	return nil
}
