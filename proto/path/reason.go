package path

import "fmt"

// Reason is why a path is refused.
type Reason uint8

// Reasons. Their texts are stable: metric labels, traces and documentation use them.
const (
	NotAbsolute      Reason = iota + 1 // doesn't start with a slash
	DotSegment                         // a segment "." or "..", dots encoded or not
	EmptySegment                       // two slashes in a row
	EncodedSlash                       // %2F or %5C
	Backslash                          // a raw backslash
	Parameter                          // a semicolon, raw or %3B
	DoubleEncoding                     // %25 and two hex digits, themselves encoded or not
	InvalidEscape                      // a percent sign without two hex digits
	ControlCharacter                   // a byte below 0x20 or 0x7F, raw or encoded
	NonASCII                           // a raw byte of 0x80 or above
	InvalidUTF8                        // escapes that decode to something else than UTF-8
	Delimiter                          // a raw ? or #
	InvalidCharacter                   // a space, or another character that a path can't hold raw
)

var reasonNames = [...]string{
	NotAbsolute:      "not_absolute",
	DotSegment:       "dot_segment",
	EmptySegment:     "empty_segment",
	EncodedSlash:     "encoded_slash",
	Backslash:        "backslash",
	Parameter:        "parameter",
	DoubleEncoding:   "double_encoding",
	InvalidEscape:    "invalid_escape",
	ControlCharacter: "control_character",
	NonASCII:         "non_ascii",
	InvalidUTF8:      "invalid_utf8",
	Delimiter:        "delimiter",
	InvalidCharacter: "invalid_character",
}

// String returns the reason's name in snake_case.
func (r Reason) String() string {
	if int(r) < len(reasonNames) && reasonNames[r] != "" {
		return reasonNames[r]
	}
	return "unknown"
}

// Error is the refusal of a path.
type Error struct {
	Reason Reason
	Offset int // byte of the raw path where what is refused starts
}

// Error tells the reason and the place, and nothing of the path.
func (e *Error) Error() string {
	return fmt.Sprintf("path refused: %s at byte %d", e.Reason, e.Offset)
}
