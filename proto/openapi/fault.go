package openapi

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
)

// maxFaults is how many things that are wrong with a document are told of at once.
const maxFaults = 16

// Fault is one thing that is wrong with a document.
type Fault struct {
	// Pointer is where (RFC 6901), or "" for the document as a whole.
	Pointer string
	// Detail is what is wrong and how to mend it.
	Detail string
}

// DocumentErrors are what is wrong with a document, up to a number: it can't be held against requests.
type DocumentErrors []Fault

// Error implements error.
func (f DocumentErrors) Error() string {
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.Detail
		if fault.Pointer != "" {
			texts[i] = "at " + fault.Pointer + ": " + fault.Detail
		}
	}
	return strings.Join(texts, "; ")
}

// place is where in the document one is. Places share what is above them, and are written out only when something is wrong there.
type place struct {
	above *place
	token any // a string or an int
}

func (p *place) at(tokens ...any) *place {
	for _, token := range tokens {
		p = &place{above: p, token: token}
	}
	return p
}

// String returns the place as a JSON pointer.
func (p *place) String() string {
	if p == nil {
		return ""
	}
	return p.above.String() + problem.Pointer(p.token)
}

// faults gathers what is wrong.
type faults struct{ all DocumentErrors }

func (f *faults) add(at *place, format string, args ...any) {
	f.addAt(at.String(), fmt.Sprintf(format, args...))
}

func (f *faults) addAt(pointer, detail string) {
	if len(f.all) < maxFaults {
		f.all = append(f.all, Fault{Pointer: pointer, Detail: detail})
	}
}

func (f *faults) err() error {
	if len(f.all) == 0 {
		return nil
	}
	return f.all
}
