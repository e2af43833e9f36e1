package problem

// Code is the stable name of a problem: snake_case, never renamed, never given a second meaning.
// Clients switch on it; titles and details may be reworded.
type Code string

// Definition is what a code means, for the API reference and for those who write a Problem.
type Definition struct {
	Code        Code
	Status      int    // HTTP status code
	Title       string // short, the same for every occurrence (RFC 9457 §3.1.3)
	Description string // one or two sentences: when it happens and what mends it
}

// typePrefix and typeSuffix stand around the code in the "type" member of a problem (RFC 9457 §3.1.1): the address of the
// page that explains it (package pages).
const (
	typePrefix = "https://github.com/sallyport/sallyport/blob/main/proto/problem/pages/"
	typeSuffix = ".md"
)

// Type returns the "type" member of a problem with this code: where its page is.
func (c Code) Type() string { return typePrefix + string(c) + typeSuffix }

// Lookup returns the definition of a code; false when the product has no such code.
func Lookup(code Code) (Definition, bool) {
	e, ok := index[code]
	return e.Definition, ok
}

// Definitions returns every code of the product, in the order of the reference.
func Definitions() []Definition {
	all := make([]Definition, len(definitions))
	copy(all, definitions[:])
	return all
}

// entry is a definition with its type URI ready, so that a rejection needn't build one.
type entry struct {
	Definition
	uri string
}

var index = func() map[Code]entry {
	byCode := make(map[Code]entry, len(definitions))
	for _, d := range definitions {
		byCode[d.Code] = entry{Definition: d, uri: d.Code.Type()}
	}
	return byCode
}()

// resolve returns the entry of a code, and that of Internal for a code nobody defined: a wrong code
// is our own fault and must not become a success.
func resolve(code Code) entry {
	if e, ok := index[code]; ok {
		return e
	}
	return index[Internal]
}
