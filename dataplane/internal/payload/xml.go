package payload

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of any XML.
const (
	// MaxXMLDepth is how many elements may lie in each other.
	MaxXMLDepth = 1000

	maxAttributes   = 100
	openElementSize = 24 // bytes that an open element takes
)

// xInclude is the namespace by which a document has others read in.
const xInclude = "http://www.w3.org/2001/XInclude"

// XML is what was counted in a document that is well-formed and stands alone: XML 1.0 in UTF-8, without a document type, entities of its own, processing instructions and inclusions.
type XML struct {
	// Elements and Attributes in all.
	Elements, Attributes int
	// Depth is how many elements lie in each other.
	Depth int
	// TextBytes is the length of the longest run of text or value of an attribute, as it is written.
	TextBytes int
}

// xmlParser goes through a document once.
type xmlParser struct {
	XML
	text  []byte
	pos   int
	open  [][]byte // names
	fault *Fault

	attributes [maxAttributes][]byte // names in the tag at hand
}

// ParseXML goes through a document. The error is a *Fault or ErrNoMemory.
func ParseXML(text []byte, share *Share) (*XML, error) {
	if !share.Take(MaxXMLDepth*openElementSize + maxAttributes*openElementSize) {
		return nil, ErrNoMemory
	}
	defer share.Give(MaxXMLDepth*openElementSize + maxAttributes*openElementSize)
	p := &xmlParser{text: text}
	if !p.parse() {
		return nil, p.fault
	}
	counted := p.XML
	return &counted, nil
}

func (p *xmlParser) fail(rule, reason string, arguments ...any) bool {
	p.fault = fault(rule, reason, arguments...)
	return false
}

func (p *xmlParser) syntax(what string) bool {
	return p.fail("xml_syntax", "The XML isn't well-formed at byte %d: %s.", p.pos, what)
}

func (p *xmlParser) parse() bool {
	if !utf8.Valid(p.text) {
		return p.fail("xml_encoding", "The XML isn't valid UTF-8.")
	}
	for i, r := range string(p.text) {
		if !isXMLChar(r) {
			return p.fail("xml_syntax", "The XML has a character that XML doesn't allow, at byte %d.", i)
		}
	}
	p.text = bytes.TrimPrefix(p.text, []byte("\xef\xbb\xbf"))
	const begin = "<?xml"
	if p.at(begin) && len(p.text) > len(begin) && isXMLSpace(p.text[len(begin)]) && !p.declaration() {
		return false
	}
	for p.pos < len(p.text) {
		if !p.next() {
			return false
		}
	}
	switch {
	case len(p.open) > 0:
		return p.fail("xml_truncated", "The XML breaks off in the middle of an element.")
	case p.Elements == 0:
		return p.fail("xml_syntax", "The XML has no element.")
	}
	return true
}

// isXMLChar tells of what XML 1.0, section 2.2, allows.
func isXMLChar(r rune) bool {
	return r >= ' ' && r < 0xfffe || r == '\t' || r == '\n' || r == '\r' || r >= 0x10000
}

func (p *xmlParser) at(s string) bool {
	return len(p.text)-p.pos >= len(s) && string(p.text[p.pos:p.pos+len(s)]) == s
}

// take passes over s if it is next.
func (p *xmlParser) take(s string) bool {
	if !p.at(s) {
		return false
	}
	p.pos += len(s)
	return true
}

// until passes over what stands in front of s, and s.
func (p *xmlParser) until(s string) ([]byte, bool) {
	n := bytes.Index(p.text[p.pos:], []byte(s))
	if n < 0 {
		return nil, p.fail("xml_truncated", "The XML breaks off in front of %q.", s)
	}
	before := p.text[p.pos : p.pos+n]
	p.pos += n + len(s)
	return before, true
}

func (p *xmlParser) spaces() bool {
	begin := p.pos
	for p.pos < len(p.text) && isXMLSpace(p.text[p.pos]) {
		p.pos++
	}
	return p.pos > begin
}

func isXMLSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// declaration reads <?xml version="1.0" encoding="UTF-8" standalone="yes"?>, of which the latter two may be missing.
func (p *xmlParser) declaration() bool {
	p.pos += len("<?xml")
	version, ok := p.declared("version")
	switch {
	case !ok:
		return p.syntax("the declaration has no version")
	case version != "1.0":
		return p.fail("xml_version", "The XML isn't of version 1.0.")
	}
	if encoding, given := p.declared("encoding"); given && !strings.EqualFold(encoding, "utf-8") {
		return p.fail("xml_encoding", "The XML declares an encoding other than UTF-8.")
	}
	if alone, given := p.declared("standalone"); given && alone != "yes" && alone != "no" {
		return p.syntax("standalone is neither yes nor no")
	}
	if p.spaces(); !p.take("?>") {
		return p.syntax("the declaration has something that it can't have")
	}
	return true
}

// declared reads one of the declaration's, if it is next.
func (p *xmlParser) declared(name string) (string, bool) {
	begin := p.pos
	if !p.spaces() || !p.take(name) {
		p.pos = begin
		return "", false
	}
	p.spaces()
	if !p.take("=") {
		p.pos = begin
		return "", false
	}
	p.spaces()
	for _, quote := range []string{`"`, `'`} {
		if p.take(quote) {
			if value, ok := p.until(quote); ok {
				return string(value), true
			}
		}
	}
	p.pos = begin
	return "", false
}

// next passes over a tag, a comment, a section or a run of text.
func (p *xmlParser) next() bool {
	switch {
	case p.take("<!--"):
		return p.comment()
	case p.take("<![CDATA["):
		if len(p.open) == 0 {
			return p.syntax("text stands outside of the element")
		}
		text, ok := p.until("]]>")
		p.TextBytes = max(p.TextBytes, len(text))
		return ok
	case p.at("<!"):
		return p.fail("xml_doctype", "The XML has a document type or a declaration of entities.")
	case p.at("<?"):
		return p.fail("xml_instruction", "The XML has a processing instruction.")
	case p.take("</"):
		return p.endTag()
	case p.take("<"):
		return p.startTag()
	}
	return p.characters()
}

func (p *xmlParser) comment() bool {
	if _, ok := p.until("--"); !ok {
		return false
	}
	if !p.take(">") {
		return p.syntax("a comment has two hyphens")
	}
	return true
}

// characters passes over text up to the next tag.
func (p *xmlParser) characters() bool {
	end := len(p.text)
	if n := bytes.IndexByte(p.text[p.pos:], '<'); n >= 0 {
		end = p.pos + n
	}
	run := p.text[p.pos:end]
	switch {
	case len(p.open) == 0 && len(bytes.Trim(run, " \t\r\n")) > 0:
		return p.syntax("text stands outside of the element")
	case bytes.Contains(run, []byte("]]>")):
		return p.syntax(`"]]>" stands in text`)
	case !p.references(run):
		return false
	}
	p.TextBytes = max(p.TextBytes, len(run))
	p.pos = end
	return true
}

// references judges what "&" begins: the five that XML knows itself, and characters by number.
func (p *xmlParser) references(run []byte) bool {
	for {
		n := bytes.IndexByte(run, '&')
		if n < 0 {
			return true
		}
		run = run[n+1:]
		const longest = len("#x10ffff")
		end := bytes.IndexByte(run[:min(len(run), longest+1)], ';')
		if end < 0 {
			return p.fail("xml_entity", "The XML has an entity that it doesn't know itself.")
		}
		switch name := string(run[:end]); name {
		case "lt", "gt", "amp", "apos", "quot":
		default:
			if !isCharacterReference(name) {
				return p.fail("xml_entity", "The XML has an entity that it doesn't know itself.")
			}
		}
		run = run[end:]
	}
}

// isCharacterReference tells of "#10" and "#xa".
func isCharacterReference(name string) bool {
	base, digits := rune(10), strings.TrimPrefix(name, "#")
	if strings.HasPrefix(digits, "x") {
		base, digits = 16, digits[1:]
	}
	var r rune
	for i := range len(digits) {
		d := rune(hexDigit([]byte(digits), i))
		if d < 0 || d >= base {
			return false
		}
		if r = r*base + d; r > utf8.MaxRune {
			return false
		}
	}
	return strings.HasPrefix(name, "#") && digits != "" && isXMLChar(r) && !utf16.IsSurrogate(r)
}

// name reads a name (XML 1.0, section 2.3), which has at most one colon, and that between two others (Namespaces in XML).
func (p *xmlParser) name() ([]byte, bool) {
	begin, colons := p.pos, 0
	first := true
	for p.pos < len(p.text) {
		r, size := rune(p.text[p.pos]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(p.text[p.pos:])
		}
		if r == ':' {
			if colons++; first || colons > 1 {
				return nil, p.syntax("a name has a colon where none may be")
			}
			first = true
			p.pos++
			continue
		}
		if !isNameStart(r) && (first || !isNameFurther(r)) {
			break
		}
		first = false
		p.pos += size
	}
	if first {
		return nil, p.syntax("a name is expected")
	}
	return p.text[begin:p.pos], true
}

func isNameStart(r rune) bool {
	if r < utf8.RuneSelf {
		return r|0x20 >= 'a' && r|0x20 <= 'z' || r == '_'
	}
	return unicode.Is(nameStart, r)
}

// nameStart are the characters beyond ASCII with which a name may begin (XML 1.0, section 2.3).
var nameStart = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0xc0, Hi: 0xd6, Stride: 1},
		{Lo: 0xd8, Hi: 0xf6, Stride: 1},
		{Lo: 0xf8, Hi: 0x2ff, Stride: 1},
		{Lo: 0x370, Hi: 0x37d, Stride: 1},
		{Lo: 0x37f, Hi: 0x1fff, Stride: 1},
		{Lo: 0x200c, Hi: 0x200d, Stride: 1},
		{Lo: 0x2070, Hi: 0x218f, Stride: 1},
		{Lo: 0x2c00, Hi: 0x2fef, Stride: 1},
		{Lo: 0x3001, Hi: 0xd7ff, Stride: 1},
		{Lo: 0xf900, Hi: 0xfdcf, Stride: 1},
		{Lo: 0xfdf0, Hi: 0xfffd, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x10000, Hi: 0xeffff, Stride: 1}},
}

func isNameFurther(r rune) bool {
	return r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xb7 || r >= 0x300 && r <= 0x36f || r == 0x203f || r == 0x2040
}

func (p *xmlParser) endTag() bool {
	name, ok := p.name()
	if !ok {
		return false
	}
	if p.spaces(); !p.take(">") {
		return p.syntax("an end tag has something behind its name")
	}
	last := len(p.open) - 1
	if last < 0 || !bytes.Equal(p.open[last], name) {
		return p.syntax("an end tag ends another element than is open")
	}
	p.open = p.open[:last]
	return true
}

func (p *xmlParser) startTag() bool {
	name, ok := p.name()
	switch {
	case !ok:
		return false
	case len(p.open) == 0 && p.Elements > 0:
		return p.syntax("there is a second element")
	case len(p.open) == MaxXMLDepth:
		return p.fail("xml_depth", "More than %d elements lie in each other.", MaxXMLDepth)
	}
	p.Elements++
	p.Depth = max(p.Depth, len(p.open)+1)
	for n := 0; ; n++ {
		apart := p.spaces()
		switch {
		case p.take("/>"):
			return true
		case p.take(">"):
			p.open = append(p.open, name)
			return true
		case !apart:
			return p.syntax("attributes aren't apart")
		case n == maxAttributes:
			return p.fail("xml_attributes", "An element has more than %d attributes.", maxAttributes)
		case !p.attribute(n):
			return false
		}
	}
}

// attribute reads the n-th attribute of a tag.
func (p *xmlParser) attribute(n int) bool {
	name, ok := p.name()
	if !ok {
		return false
	}
	for _, before := range p.attributes[:n] {
		if bytes.Equal(before, name) {
			return p.syntax("an element has an attribute twice")
		}
	}
	p.attributes[n] = name
	p.Attributes++
	if p.spaces(); !p.take("=") {
		return p.syntax("an attribute has no value")
	}
	p.spaces()
	quote := `"`
	if p.at("'") {
		quote = "'"
	}
	if !p.take(quote) {
		return p.syntax("an attribute's value has no quotes")
	}
	value, ok := p.until(quote)
	switch {
	case !ok:
		return false
	case bytes.IndexByte(value, '<') >= 0:
		return p.syntax(`"<" stands in an attribute's value`)
	case !p.references(value):
		return false
	case isNamespace(name) && includes(value):
		return p.fail("xml_inclusion", "The XML has others read in (XInclude).")
	}
	p.TextBytes = max(p.TextBytes, len(value))
	return true
}

func isNamespace(name []byte) bool { return bytes.HasPrefix(name, []byte("xmlns")) }

// includes tells of XInclude's namespace, and of a namespace that is spelled by character references: nobody writes one so who has nothing to hide.
func includes(value []byte) bool {
	return string(value) == xInclude || bytes.Contains(value, []byte("&#"))
}
