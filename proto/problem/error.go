package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Error is the product's one error type: what went wrong by its code, what may be told about it,
// and what caused it. It becomes a status only at the face (From); until then it travels, wrapped
// or not, like any error.
type Error struct {
	Code      Code
	Public    string      // shown to whoever asked; empty: the code's title says enough
	Errors    []Violation // every bad field, shown
	Referrers []Reference // who still refers to the object, shown
	cause     error       // logged, never shown
}

// Errorf returns an error with a code and a public text. The text is shown to whoever asked: a
// cause goes into Wrap, never into the arguments, so %w is not understood here.
func Errorf(code Code, public string, args ...any) *Error {
	return &Error{Code: code, Public: format(public, args)}
}

// Wrap returns an error with a code and a public text that keeps its cause for logs and for
// errors.Is and errors.As.
func Wrap(cause error, code Code, public string, args ...any) *Error {
	return &Error{Code: code, Public: format(public, args), cause: cause}
}

// Invalid returns the InvalidRequest error of these violations, and nil when there are none. It
// returns the interface, so that its nil is an error's nil.
func Invalid(violations ...Violation) error {
	if len(violations) == 0 {
		return nil
	}
	return &Error{Code: InvalidRequest, Public: countFields(len(violations)), Errors: violations}
}

// StillReferenced returns the Referenced error of an object with these referrers, and nil when
// there are none.
func StillReferenced(referrers ...Reference) error {
	if len(referrers) == 0 {
		return nil
	}
	return &Error{Code: Referenced, Public: "other objects refer to this one", Referrers: referrers}
}

// Error returns everything, the cause included: for logs, not for answers.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Public != "" {
		b.WriteString(": ")
		b.WriteString(e.Public)
	}
	for _, v := range e.Errors {
		fmt.Fprintf(&b, "; %s: %s (%s)", v.Pointer, v.Detail, v.Code)
	}
	for _, r := range e.Referrers {
		fmt.Fprintf(&b, "; %s %s", r.Type, r.ID)
	}
	if e.cause != nil {
		b.WriteString(": ")
		b.WriteString(e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Status returns the HTTP status of the error's code, 500 for a code nobody defined.
func (e *Error) Status() int { return resolve(e.Code).Status }

// Problem returns what of the error may be shown. The caller adds the request id.
func (e *Error) Problem() Problem {
	p := New(e.Code, e.Public)
	p.Errors = e.Errors
	p.Referrers = e.Referrers
	if p.Code != e.Code { // undefined code: nothing is known of what its text reveals
		return New(Internal, "")
	}
	return p
}

// From returns what of any error may be shown: that of the outermost *Error in its chain, and a
// bare Internal for every other error.
func From(err error) Problem {
	var e *Error
	if errors.As(err, &e) && e != nil {
		return e.Problem()
	}
	return New(Internal, "")
}

// CodeOf returns the code that From would show, and "" for a nil error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}

// format leaves a text without arguments alone, so that a percent sign in it is only that.
func format(public string, args []any) string {
	if len(args) == 0 {
		return public
	}
	return fmt.Sprintf(public, args...)
}

func countFields(n int) string {
	if n == 1 {
		return "1 field is not valid"
	}
	return fmt.Sprintf("%d fields are not valid", n)
}
