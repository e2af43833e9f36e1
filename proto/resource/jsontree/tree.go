package jsontree

import (
	"strconv"

	"github.com/sallyport/sallyport/proto/problem"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{
	Null: "null", Bool: "a boolean", Number: "a number", String: "a string", Array: "a list", Object: "an object",
}

// String returns the kind with its article, for a sentence.
func (k Kind) String() string { return kindNames[k] }

// Value is a JSON value.
type Value struct {
	Kind    Kind
	True    bool     // of a Bool
	Text    string   // of a String its text, of a Number its literal
	Items   []Value  // of an Array
	Members []Member // of an Object, in the order of the document, each name once
	Removed bool     // of a Null: a merge patch put it there to remove what was
}

// Member is a named value of an object.
type Member struct {
	Name  string
	Value Value
}

// Member returns the member of a name; nil when there is none.
func (v *Value) Member(name string) *Value {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return &v.Members[i].Value
		}
	}
	return nil
}

// Brief returns a value as a violation shows it: scalars as they were written, else the kind.
func (v *Value) Brief() string {
	switch v.Kind {
	case Bool:
		return strconv.FormatBool(v.True)
	case Number, String:
		return v.Text
	default:
		return v.Kind.String()
	}
}

// Place is where a value stands in its document, from the inside out. The nil Place is the document itself.
type Place struct {
	up    *Place
	name  string
	index int // when name is not what counts
	entry bool
}

// Member returns the place of a member.
func (p *Place) Member(name string) Place { return Place{up: p, name: name} }

// Item returns the place of an entry of a list.
func (p *Place) Item(index int) Place { return Place{up: p, index: index, entry: true} }

// Pointer returns the place as a JSON pointer.
func (p *Place) Pointer() string {
	switch {
	case p == nil:
		return ""
	case p.entry:
		return p.up.Pointer() + problem.Pointer(p.index)
	}
	return p.up.Pointer() + problem.Pointer(p.name)
}

// MaxFindings is how many violations are told of one document; more would help nobody and cost much.
const MaxFindings = 1000

// Findings collects violations, at most MaxFindings of them.
type Findings []problem.Violation

// Full tells whether no more are kept.
func (f *Findings) Full() bool { return len(*f) >= MaxFindings }

// Add keeps a violation.
func (f *Findings) Add(v problem.Violation) {
	if !f.Full() {
		*f = append(*f, v)
	}
}
