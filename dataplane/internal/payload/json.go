package payload

import (
	"iter"
	"strconv"
	"strings"
)

// Kind is what a value of JSON is.
type Kind uint8

// The kinds. A Key is the name of an object's member, which comes right in front of the member's value.
const (
	Null Kind = iota + 1
	False
	True
	Number
	Text
	Array
	Object
	Key
)

// String returns the kind as JSON Schema names it.
func (k Kind) String() string {
	return [...]string{"", "null", "boolean", "boolean", "number", "string", "array", "object", "key"}[k]
}

// node is a value or a key. Those in an object or array follow it.
type node struct {
	begin, end uint32 // in the text; of texts and keys without the quotes
	next       uint32 // the node behind it and all that is in it
	kind       Kind
	escaped    bool // texts and keys: there is a backslash in it
}

// nodeBytes is what a node takes.
const nodeBytes = 16

// JSON is a document that RFC 8259 allows and that has one reading as to its text: UTF-8 without a byte order mark, no lone surrogates, nothing behind the value.
// It is immutable, and is parsed into one list of nodes that point into the text.
type JSON struct {
	text  []byte
	nodes []node
	stats JSONStats
}

// Place is where something is in a document; zero: nowhere.
type Place struct{ behind uint32 } // one more than the node

// Peak is the greatest of something, and where it is.
type Peak struct {
	Most int
	At   Place
}

// JSONStats is what bounds and rules are held against, without another look at the document.
type JSONStats struct {
	// Values are objects, arrays, texts, numbers and the rest; keys aren't.
	Values int
	// Depth is how many objects and arrays lie in each other.
	Depth Peak
	// Keys of one object, and Entries of one array.
	Keys, Entries Peak
	// KeyBytes and TextBytes are lengths with escapes undone.
	KeyBytes, TextBytes Peak
	// Duplicate is the first key that its object has had before.
	Duplicate Place
	// Prototype is the first key that JavaScript gives a meaning of its own: "__proto__", or "prototype" in "constructor".
	Prototype Place
	// Inexact is the first number that parsers may round, each in its way: an integer beyond 2^53 - 1, or one that no double holds.
	Inexact Place
	// Fraction is the first number that has a fraction or an exponent.
	Fraction Place
}

// IsSomewhere tells whether there is such a place.
func (p Place) IsSomewhere() bool { return p.behind != 0 }

// Stats returns what was counted.
func (j *JSON) Stats() *JSONStats { return &j.stats }

// Root returns the document's value.
func (j *JSON) Root() Value { return Value{j, 0} }

// At returns the value at a place that is one.
func (j *JSON) At(p Place) Value { return Value{j, p.behind - 1} }

// Pointer returns a place as a JSON pointer (RFC 6901), not much longer than maxPointer.
func (j *JSON) Pointer(p Place) string {
	if !p.IsSomewhere() {
		return ""
	}
	return j.At(p).Pointer()
}

// Value is one of a document's. It lives as long as the document.
type Value struct {
	doc *JSON
	at  uint32
}

func (v Value) node() *node { return &v.doc.nodes[v.at] }

// Kind returns what the value is.
func (v Value) Kind() Kind { return v.node().kind }

// Place returns where the value is.
func (v Value) Place() Place { return Place{v.at + 1} }

// Raw returns the value as it is in the document: a number in its own digits, a text or key without quotes and with its escapes. Nobody may write to it.
func (v Value) Raw() []byte {
	n := v.node()
	return v.doc.text[n.begin:n.end]
}

// Escaped tells whether Raw of a text or key differs from what it means.
func (v Value) Escaped() bool { return v.node().escaped }

// Text returns what a text or key means. It is a copy.
func (v Value) Text() string {
	if !v.Escaped() {
		return string(v.Raw())
	}
	return string(v.AppendText(nil))
}

// AppendText appends what a text or key means.
func (v Value) AppendText(to []byte) []byte { return v.doc.appendText(to, v.node()) }

// Len returns how many members an object has, or entries an array.
func (v Value) Len() int {
	n := 0
	for range v.entries() {
		n++
	}
	if v.Kind() == Object {
		n /= 2
	}
	return n
}

// entries goes over what is right in an object or array: of an object keys and values in turn.
func (v Value) entries() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if k := v.Kind(); k != Object && k != Array {
			return
		}
		for at, end := v.at+1, v.node().next; at < end; at = v.doc.nodes[at].next {
			if !yield(Value{v.doc, at}) {
				return
			}
		}
	}
}

// Entries goes over an array.
func (v Value) Entries() iter.Seq[Value] {
	if v.Kind() != Array {
		return func(func(Value) bool) {}
	}
	return v.entries()
}

// Members goes over an object, in the document's order: keys that come twice come twice.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for at, end := v.at+1, v.node().next; at < end; at = v.doc.nodes[at+1].next {
			if !yield(Value{v.doc, at}, Value{v.doc, at + 1}) {
				return
			}
		}
	}
}

// Member returns an object's member. Of several of the name it is the last one, as most parsers have it.
func (v Value) Member(name string) (found Value, ok bool) {
	for key, value := range v.Members() {
		if key.Is(name) {
			found, ok = value, true
		}
	}
	return found, ok
}

// Is tells whether a text or key means this.
func (v Value) Is(text string) bool {
	if v.Escaped() {
		return len(text) <= len(v.Raw()) && v.Text() == text
	}
	return string(v.Raw()) == text
}

// Bounds of pointers: a document may have keys as long as itself.
const (
	maxPointer      = 512
	maxPointerToken = 64
)

// Pointer returns where the value is as a JSON pointer (RFC 6901); of a key it is the member's. A key that is very long is cut, and so is the pointer; "…" then says so.
func (v Value) Pointer() string {
	var b strings.Builder
	for at := uint32(0); at != v.at; {
		if b.Len() > maxPointer {
			b.WriteString("/…")
			break
		}
		parent := &v.doc.nodes[at]
		below, index, key := v.doc.step(at, v.at)
		if parent.kind == Array {
			b.WriteByte('/')
			b.WriteString(strconv.Itoa(index))
		} else {
			writeToken(&b, Value{v.doc, key}.cut(maxPointerToken))
		}
		if below == key && below == v.at && parent.kind == Object {
			break
		}
		at = below
	}
	return b.String()
}

// step returns which of what is right in a node is, or holds, a node further down.
func (j *JSON) step(at, down uint32) (below uint32, index int, key uint32) {
	object := j.nodes[at].kind == Object
	for below = at + 1; ; index++ {
		key = below
		if object {
			if below == down {
				return below, index, key
			}
			below++
		}
		if next := j.nodes[below].next; down < next {
			return below, index, key
		}
		below = j.nodes[below].next
	}
}

// cut returns at most so many bytes of a text or key, and says if it isn't all.
func (v Value) cut(most int) string {
	raw := v.Raw()
	if len(raw) <= most {
		return v.Text()
	}
	if v.Escaped() {
		if text := v.Text(); len(text) <= most {
			return text
		}
		return "…"
	}
	for most > 0 && raw[most]&0xc0 == 0x80 {
		most--
	}
	return string(raw[:most]) + "…"
}

func writeToken(b *strings.Builder, token string) {
	b.WriteByte('/')
	for i := range len(token) {
		switch token[i] {
		case '~':
			b.WriteString("~0")
		case '/':
			b.WriteString("~1")
		default:
			b.WriteByte(token[i])
		}
	}
}
