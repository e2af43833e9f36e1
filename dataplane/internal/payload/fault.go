package payload

import (
	"errors"
	"fmt"
)

// ErrTooLarge says that a body, its content coding undone, goes beyond the bound of who asked for it. What lies beyond was never there.
var ErrTooLarge = errors.New("the body is larger than may be, its content coding undone")

// errNotDecoded says that a body was parsed that nobody has decoded: a mistake of the caller's.
var errNotDecoded = errors.New("the body isn't decoded: call Decoded first")

// errNotWhole says that a body was decoded that wasn't read whole: a mistake of the caller's.
var errNotWhole = errors.New("the body isn't there whole: read it first, and ask Within")

// Fault is why a body can't be read as what it says it is, or could be read in two ways. Its texts hold no value of the request but for the names in Pointer.
type Fault struct {
	// Rule names what is broken: "json_syntax", "multipart_boundary".
	Rule string
	// Pointer is the place in a JSON document (RFC 6901); "" elsewhere, or the document itself.
	Pointer string
	// Reason is one sentence for the caller.
	Reason string
}

// Error implements error.
func (f *Fault) Error() string { return f.Reason }

func fault(rule, reason string, arguments ...any) *Fault {
	if len(arguments) > 0 {
		reason = fmt.Sprintf(reason, arguments...)
	}
	return &Fault{Rule: rule, Reason: reason}
}
