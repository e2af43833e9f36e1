package payload

import (
	"bytes"
	"unicode/utf8"
	"unsafe"
)

// Bounds of any JSON, whoever asks for it.
const (
	// MaxJSONDepth is how many objects and arrays may lie in each other.
	MaxJSONDepth = 1000
	// MaxJSONValues is how many values there may be.
	MaxJSONValues = 1 << 20

	maxNodes   = 2*MaxJSONValues + 2 // a key to each value
	leastNodes = 32
)

// opened is an object or array whose end hasn't come.
type opened struct {
	at      uint32
	entries uint32 // members or entries
	escaped bool   // one of the keys has an escape
}

// jsonParser makes a JSON of a text in one pass.
type jsonParser struct {
	JSON
	share *Share
	pos   int
	stack []opened
	keys  keyTable

	fault    *Fault
	noMemory bool
}

// ParseJSON parses a text, which nobody may write to any more. What it takes is booked in share; nil: nowhere. The error is a *Fault, or ErrNoMemory.
func ParseJSON(text []byte, share *Share) (*JSON, error) {
	p := &jsonParser{JSON: JSON{text: text}, share: share}
	p.keys.share = share
	ok := p.parse()
	p.keys.release()
	switch {
	case p.noMemory || p.keys.noMemory:
		p.share.Give(int64(cap(p.nodes)) * nodeBytes)
		return nil, ErrNoMemory
	case !ok:
		p.fault.Pointer = p.where()
		p.share.Give(int64(cap(p.nodes)) * nodeBytes)
		return nil, p.fault
	}
	return &JSON{text: text, nodes: p.nodes, stats: p.stats}, nil
}

func (p *jsonParser) fail(rule, reason string, arguments ...any) bool {
	p.fault = fault(rule, reason, arguments...)
	return false
}

// syntax fails at the byte that is next.
func (p *jsonParser) syntax(expected string) bool {
	if p.pos >= len(p.text) {
		return p.fail("json_syntax", "The JSON breaks off where %s is expected.", expected)
	}
	return p.fail("json_syntax", "At byte %d %s is expected.", p.pos, expected)
}

// where returns the innermost object or array that is open, as a pointer.
func (p *jsonParser) where() string {
	if len(p.stack) == 0 {
		return ""
	}
	for _, o := range p.stack { // what is open ends with what there is
		p.nodes[o.at].next = uint32(len(p.nodes))
	}
	if last := len(p.nodes) - 1; p.nodes[last].kind == Key {
		p.nodes[last].next = uint32(len(p.nodes))
		return p.JSON.pointerBefore(uint32(last))
	}
	return p.JSON.pointerBefore(p.stack[len(p.stack)-1].at)
}

// pointerBefore is Pointer of a document that isn't complete: what is pointed to is.
func (j *JSON) pointerBefore(at uint32) string { return Value{j, at}.Pointer() }

func (p *jsonParser) parse() bool {
	if bytes.HasPrefix(p.text, []byte("\xef\xbb\xbf")) {
		return p.fail("json_byte_order_mark", "The JSON begins with a byte order mark, which RFC 8259 forbids.")
	}
	if !utf8.Valid(p.text) {
		return p.fail("json_utf8", "The JSON isn't valid UTF-8.")
	}
	for {
		if !p.value() {
			return false
		}
		more, ok := p.behind()
		if !ok {
			return false
		}
		if !more {
			break
		}
	}
	if p.space() != 0 || p.pos < len(p.text) {
		return p.fail("json_trailing", "Something stands behind the JSON value, from byte %d on.", p.pos)
	}
	return true
}

// space passes over white space and returns the byte behind it; 0: none, or one that nothing begins with.
func (p *jsonParser) space() byte {
	text, i := p.text, p.pos
	for i < len(text) {
		switch c := text[i]; c {
		case ' ', '\n', '\r', '\t':
			i++
		default:
			p.pos = i
			return c
		}
	}
	p.pos = i
	return 0
}

// value parses a value, and what opens in front of it: it goes down to the first one that is closed or isn't a container.
func (p *jsonParser) value() bool {
	for {
		switch c := p.space(); c {
		case '{', '[':
			empty, ok := p.open(c)
			if !ok || empty {
				return ok
			}
		case '"':
			return p.quoted(Text)
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return p.number()
		case 't':
			return p.word("true", True)
		case 'f':
			return p.word("false", False)
		case 'n':
			return p.word("null", Null)
		default:
			return p.syntax("a value")
		}
	}
}

// open begins an object, with its first key, or an array. An empty one is closed at once.
func (p *jsonParser) open(c byte) (empty, ok bool) {
	if len(p.stack) == MaxJSONDepth {
		return false, p.fail("json_depth", "More than %d objects and arrays lie in each other.", MaxJSONDepth)
	}
	kind := Array
	if c == '{' {
		kind = Object
	}
	if !p.add(node{begin: uint32(p.pos), kind: kind}) {
		return false, false
	}
	p.pos++
	p.stack = append(p.stack, opened{at: uint32(len(p.nodes) - 1)})
	p.stats.Depth.reach(len(p.stack), len(p.nodes)-1)
	switch next := p.space(); {
	case next == c+2: // } and ] are two behind { and [
		p.pos++
		p.close()
		return true, !p.keys.noMemory
	case kind == Object:
		return false, p.key()
	default:
		return false, true
	}
}

// behind closes what ends behind a value, up to what is separated from it by a comma; more tells whether anything is.
func (p *jsonParser) behind() (more, ok bool) {
	for len(p.stack) > 0 {
		top := &p.stack[len(p.stack)-1]
		top.entries++
		object := p.nodes[top.at].kind == Object
		switch c := p.space(); {
		case c == ',':
			p.pos++
			return true, !object || p.key()
		case c == '}' && object, c == ']' && !object:
			p.pos++
			if p.close(); p.keys.noMemory {
				return false, false
			}
		case object:
			return false, p.syntax(`"," or "}"`)
		default:
			return false, p.syntax(`"," or "]"`)
		}
	}
	return false, true
}

// close ends the innermost object or array.
func (p *jsonParser) close() {
	top := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	n := &p.nodes[top.at]
	n.end, n.next = uint32(p.pos), uint32(len(p.nodes))
	if n.kind == Array {
		p.stats.Entries.reach(int(top.entries), int(top.at))
		return
	}
	p.stats.Keys.reach(int(top.entries), int(top.at))
	if top.entries > 1 && !p.stats.Duplicate.IsSomewhere() {
		p.stats.Duplicate = p.keys.duplicate(&p.JSON, top)
	}
}

// key parses a key and the colon behind it.
func (p *jsonParser) key() bool {
	if p.space() != '"' {
		return p.syntax("a key")
	}
	if !p.quoted(Key) {
		return false
	}
	at := len(p.nodes) - 1
	if p.nodes[at].escaped {
		p.stack[len(p.stack)-1].escaped = true
	}
	if !p.stats.Prototype.IsSomewhere() && p.isPrototype(at) {
		p.stats.Prototype = Place{uint32(at + 1)}
	}
	if p.space() != ':' {
		return p.syntax(`":"`)
	}
	p.pos++
	return true
}

// isPrototype tells of a key by which JavaScript reaches an object's prototype.
func (p *jsonParser) isPrototype(at int) bool {
	n := &p.nodes[at]
	if n.end-n.begin != uint32(len("__proto__")) && !n.escaped {
		return false
	}
	key := Value{&p.JSON, uint32(at)}
	if key.Is("__proto__") {
		return true
	}
	object := p.stack[len(p.stack)-1].at
	if object == 0 || !key.Is("prototype") {
		return false
	}
	holder := Value{&p.JSON, object - 1}
	return holder.Kind() == Key && holder.Is("constructor")
}

// quoted parses a text or key.
func (p *jsonParser) quoted(kind Kind) bool {
	begin := p.pos + 1
	escapes, ok := p.scanText(begin) // p.pos is behind the quote then
	if !ok || !p.add(node{begin: uint32(begin), end: uint32(p.pos - 1), kind: kind, escaped: escapes > 0}) {
		return false
	}
	length := p.pos - 1 - begin - escapes
	if kind == Key {
		p.stats.KeyBytes.reach(length, len(p.nodes)-1)
	} else {
		p.stats.TextBytes.reach(length, len(p.nodes)-1)
	}
	return true
}

func (p *jsonParser) word(word string, kind Kind) bool {
	end := p.pos + len(word)
	if end > len(p.text) || string(p.text[p.pos:end]) != word {
		return p.syntax("a value")
	}
	begin := p.pos
	p.pos = end
	return p.add(node{begin: uint32(begin), end: uint32(end), kind: kind})
}

// add appends a node. Of those that hold nothing the next one is known.
func (p *jsonParser) add(n node) bool {
	if len(p.nodes) == cap(p.nodes) && !p.grow() {
		return false
	}
	if n.kind != Key {
		if p.stats.Values == MaxJSONValues {
			return p.fail("json_values", "There are more than %d values.", MaxJSONValues)
		}
		p.stats.Values++
	}
	n.next = uint32(len(p.nodes) + 1)
	p.nodes = append(p.nodes, n)
	return true
}

// grow makes room for more nodes, paid for beforehand: to begin with as many as such a text mostly has.
func (p *jsonParser) grow() bool {
	room := min(max(2*cap(p.nodes), len(p.text)/12, leastNodes), maxNodes)
	if !p.share.Take(int64(room) * nodeBytes) {
		p.noMemory = true
		return false
	}
	grown := make([]node, len(p.nodes), room)
	copy(grown, p.nodes)
	p.share.Give(int64(cap(p.nodes)) * nodeBytes)
	p.nodes = grown
	return true
}

// reach raises a peak.
func (k *Peak) reach(n, at int) {
	if n > k.Most || !k.At.IsSomewhere() {
		k.Most, k.At = n, Place{uint32(at + 1)}
	}
}

// A node is as large as nodeBytes says.
var _ [0]struct{} = [nodeBytes - unsafe.Sizeof(node{})]struct{}{}
