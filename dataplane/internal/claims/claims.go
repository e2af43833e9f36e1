// Package claims holds what a token says of its bearer (RFC 7519, section 4): a JSON object that is read once, strictly, and never changes.
//
// It owns the reading and the looking up, by name or by a path into nested objects. It owns neither whether a token is genuine (token) nor
// what follows from a claim (policies).
package claims

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// registered are the names that decide whether a token is good (RFC 7519, section 4.1), and for whom and for what (RFC 9068, section 2.2).
// One of them in other letters is a token that two readers read in two ways.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope"}

// MaxValues is how many values the claims may have, in all depths. Each takes a hundred bytes of memory and as few as two of a token, which
// is read before it is known who signed it.
const MaxValues = 2048

var (
	errNoObject = errors.New("claims: they are no object")
	errTooMany  = fmt.Errorf("claims: more than %d values", MaxValues)
)

// Claims are what a token says. They are immutable. A nil *Claims says nothing.
type Claims struct {
	root jsontree.Value
	// document is how many bytes the payload has, which texts are parts of; own are texts that aren't, since they were written otherwise.
	document int
	own      bool
}

// Parse reads the claims out of a token's payload. It refuses what isn't a JSON object, names given twice at any depth, text that isn't
// Unicode, nesting beyond [jsontree.MaxDepth], and registered names in other letters ("EXP").
func Parse(payload []byte) (*Claims, error) {
	if mostValues(payload) > MaxValues {
		return nil, errTooMany
	}
	root, violations, err := jsontree.ParseShared(payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("claims: %w", err)
	case len(violations) > 0:
		return nil, fmt.Errorf("claims: %s: %s", violations[0].Pointer, violations[0].Detail)
	case root.Kind != jsontree.Object:
		return nil, errNoObject
	}
	for i := range root.Members {
		name := root.Members[i].Name
		for _, known := range registered {
			if name != known && strings.EqualFold(name, known) {
				return nil, fmt.Errorf("claims: %q is %q in other letters", name, known)
			}
		}
	}
	return &Claims{root: root, document: len(payload), own: bytes.ContainsFunc(payload, func(r rune) bool { return r == '\\' || r >= utf8.RuneSelf })}, nil
}

// mostValues is how many values a document can have: one that is all, one behind each comma, and the first of each list and object. Commas
// in texts count too, which is why the bound is a wide one.
func mostValues(document []byte) int {
	return 1 + bytes.Count(document, []byte{','}) + bytes.Count(document, []byte{'['}) + bytes.Count(document, []byte{'{'})
}

// Get returns the claim of a name; nil: there is none.
func (c *Claims) Get(name string) *jsontree.Value {
	if c == nil {
		return nil
	}
	return c.root.Member(name)
}

// All returns every claim, in the token's order. The slice is the claims' own.
func (c *Claims) All() []jsontree.Member {
	if c == nil {
		return nil
	}
	return c.root.Members
}

// Text returns a claim that is a text; "": there is none, or it is something else.
func (c *Claims) Text(name string) string {
	if v := c.Get(name); v != nil && v.Kind == jsontree.String {
		return v.Text
	}
	return ""
}

// Size is how many bytes of memory the claims take, as close as the allocator lets one know.
func (c *Claims) Size() int {
	if c == nil {
		return 0
	}
	return int(unsafe.Sizeof(*c)) + textSize(c.document) + c.sizeBelow(&c.root)
}

func (c *Claims) sizeBelow(v *jsontree.Value) int {
	size := cap(v.Items)*int(unsafe.Sizeof(jsontree.Value{})) + cap(v.Members)*int(unsafe.Sizeof(jsontree.Member{}))
	if c.own {
		size += textSize(len(v.Text))
	}
	for i := range v.Items {
		size += c.sizeBelow(&v.Items[i])
	}
	for i := range v.Members {
		if c.own {
			size += textSize(len(v.Members[i].Name))
		}
		size += c.sizeBelow(&v.Members[i].Value)
	}
	return size
}

// textSize is the size of a text as it is allocated: in steps, the first of which suit all.
func textSize(length int) int { return (length + 15) &^ 15 }

// Issuer is the claim "iss"; "": there is none.
func (c *Claims) Issuer() string { return c.Text("iss") }

// Subject is the claim "sub"; "": there is none.
func (c *Claims) Subject() string { return c.Text("sub") }

// TokenID is the claim "jti"; "": there is none.
func (c *Claims) TokenID() string { return c.Text("jti") }

// Path is where a claim is: its name, or the names that lead to it through nested objects.
type Path struct {
	whole string
	steps []string
}

// NewPath reads a path. A claim of the whole text's name goes before what the dots in it lead to, since names may have dots
// ("https://example.com/roles").
func NewPath(text string) Path {
	p := Path{whole: text}
	if strings.Contains(text, ".") {
		p.steps = strings.Split(text, ".")
	}
	return p
}

// String returns the path as it was written.
func (p Path) String() string { return p.whole }

// At returns the claim at a path; nil: there is none. It doesn't allocate.
func (c *Claims) At(path Path) *jsontree.Value {
	v := c.Get(path.whole)
	if v != nil || len(path.steps) == 0 {
		return v
	}
	v = c.Get(path.steps[0])
	for _, step := range path.steps[1:] {
		if v == nil || v.Kind != jsontree.Object {
			return nil
		}
		v = v.Member(step)
	}
	return v
}

// Holds tells whether a claim is one of the wanted texts, or a list that has one of them. Numbers and booleans compare as they were written.
func Holds(v *jsontree.Value, wanted []string) bool {
	switch {
	case v == nil:
		return false
	case v.Kind == jsontree.Array:
		for i := range v.Items {
			if scalar(&v.Items[i]) && slices.Contains(wanted, v.Items[i].Brief()) {
				return true
			}
		}
		return false
	default:
		return scalar(v) && slices.Contains(wanted, v.Brief())
	}
}

// HoldsAll tells whether a claim is a list that has each of the wanted texts, or the one text that is wanted.
func HoldsAll(v *jsontree.Value, wanted []string) bool {
	for i := range wanted {
		if !Holds(v, wanted[i:i+1]) {
			return false
		}
	}
	return v != nil
}

func scalar(v *jsontree.Value) bool {
	return v.Kind == jsontree.String || v.Kind == jsontree.Number || v.Kind == jsontree.Bool
}

// Words returns the texts of a claim that is a list of texts, or one text of words apart by spaces (RFC 8693, section 4.2).
func Words(v *jsontree.Value) []string {
	switch {
	case v == nil:
		return nil
	case v.Kind == jsontree.String:
		return strings.Fields(v.Text)
	case v.Kind != jsontree.Array:
		return nil
	}
	var words []string
	for i := range v.Items {
		if v.Items[i].Kind == jsontree.String {
			words = append(words, v.Items[i].Text)
		}
	}
	return words
}
