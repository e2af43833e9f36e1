package openapi

// Kind is what a JSON value is.
type Kind uint8

// Kinds of JSON values.
const (
	Null Kind = iota
	Boolean
	Number
	String
	Array
	Object
)

// Value is a JSON value of type V, as whoever parsed it keeps it. How deep values are nested is for that one to bound.
type Value[V any] interface {
	// Kind is what it is.
	Kind() Kind
	// Truth of a boolean.
	Truth() bool
	// Text of a string, its escapes undone; of a number, as it was written.
	Text() string
	// Len is how many members or items it has.
	Len() int
	// Next returns the next member, or item, whose name is "". It begins with after 0, and goes on with what it returned.
	Next(after int) (name string, value V, next int, ok bool)
}

// tree is a Value made here: of parameters, of forms, of constants.
type tree struct {
	kind    Kind
	truth   bool
	text    string
	members []member
}

type member struct {
	name  string
	value tree
}

// Kind implements Value.
func (t *tree) Kind() Kind { return t.kind }

// Truth implements Value.
func (t *tree) Truth() bool { return t.truth }

// Text implements Value.
func (t *tree) Text() string { return t.text }

// Len implements Value.
func (t *tree) Len() int { return len(t.members) }

// Next implements Value.
func (t *tree) Next(after int) (string, *tree, int, bool) {
	if after >= len(t.members) {
		return "", nil, 0, false
	}
	m := &t.members[after]
	return m.name, &m.value, after + 1, true
}
