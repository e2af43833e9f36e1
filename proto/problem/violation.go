package problem

import (
	"fmt"
	"strconv"
	"strings"
)

// Violation is one thing that is wrong with one field of a body. A list holds all of them at once.
type Violation struct {
	Pointer string `json:"pointer"`           // the field (RFC 6901); "" is the whole document
	Code    string `json:"code"`              // one of the Violation… constants, stable
	Detail  string `json:"detail"`            // what is wrong and how to mend it, one sentence
	Given   string `json:"given,omitempty"`   // the value as given, shortened; never a secret
	Allowed string `json:"allowed,omitempty"` // what is allowed: a range, a list, a pattern
}

// Codes of violations.
const (
	ViolationUnknownField     string = "unknown_field"
	ViolationDuplicateField   string = "duplicate_field"
	ViolationRequired         string = "required"
	ViolationWrongType        string = "wrong_type"
	ViolationInvalidValue     string = "invalid_value"
	ViolationInvalidFormat    string = "invalid_format"
	ViolationOutOfRange       string = "out_of_range"
	ViolationTooShort         string = "too_short"
	ViolationTooLong          string = "too_long"
	ViolationTooFew           string = "too_few"
	ViolationTooMany          string = "too_many"
	ViolationNotUnique        string = "not_unique"
	ViolationMutuallyExcluded string = "mutually_excluded"
	ViolationImmutable        string = "immutable"
	ViolationNotSupported     string = "not_supported"
	ViolationUnknownParameter string = "unknown_parameter"
	ViolationUnknownKind      string = "unknown_kind"
	ViolationUnknownReference string = "unknown_reference"
	ViolationNameTaken        string = "name_taken"
	ViolationNameLooksLikeID  string = "name_looks_like_id"
	ViolationDuplicateMatch   string = "duplicate_match"
	ViolationUnprotected      string = "unprotected"
)

// ViolationDefinition is what a violation's code means, for the API reference.
type ViolationDefinition struct {
	Code        string
	Description string
}

// ViolationDefinitions returns every violation code of the product, in the order of the reference.
func ViolationDefinitions() []ViolationDefinition {
	all := make([]ViolationDefinition, len(violationDefinitions))
	copy(all, violationDefinitions[:])
	return all
}

var violationDefinitions = [...]ViolationDefinition{
	{ViolationUnknownField, "There is no field of this name here."},
	{ViolationDuplicateField, "The field is given more than once in one object."},
	{ViolationRequired, "The field must be given."},
	{ViolationWrongType, "The value is of another JSON type than the field takes."},
	{ViolationInvalidValue, "The value is not one that the field takes."},
	{ViolationInvalidFormat, "The text doesn't have the form that the field asks for, such as a duration or an address."},
	{ViolationOutOfRange, "The number or duration is below the least or above the greatest allowed."},
	{ViolationTooShort, "The text has too few characters or bytes."},
	{ViolationTooLong, "The text has too many characters or bytes."},
	{ViolationTooFew, "The list or map has too few entries."},
	{ViolationTooMany, "The list or map has too many entries."},
	{ViolationNotUnique, "The list holds the same entry more than once."},
	{ViolationMutuallyExcluded, "The field can't be given together with another one that is given."},
	{ViolationImmutable, "The field can't be changed after the object was made."},
	{ViolationNotSupported, "The value is part of the schema, but this version of the product doesn't do it yet."},
	{ViolationUnknownParameter, "There is no query parameter of this name here."},
	{ViolationUnknownKind, "There is no policy kind of this name."},
	{ViolationUnknownReference, "The object that the field refers to doesn't exist in this environment."},
	{ViolationNameTaken, "Another object of this type has this name in the environment already."},
	{ViolationNameLooksLikeID, "A name can't look like an id: it would be ambiguous in a path."},
	{ViolationDuplicateMatch, "Another route matches exactly the same requests."},
	{ViolationUnprotected, "The route would be left without an enforced Authenticate policy and isn't marked public."},
}

func (v Violation) append(dst []byte) []byte {
	dst = appendMember(dst, `{"pointer":`, v.Pointer)
	dst = appendMember(dst, `,"code":`, v.Code)
	dst = appendMember(dst, `,"detail":`, v.Detail)
	dst = appendOptional(dst, `,"given":`, v.Given)
	dst = appendOptional(dst, `,"allowed":`, v.Allowed)
	return append(dst, '}')
}

// MarshalJSON writes the violation as it stands in a Problem.
func (v Violation) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

// Pointer joins reference tokens into a JSON pointer (RFC 6901 §3): names of members as strings,
// places in a list as ints. Pointer() is "", the whole document.
func Pointer(tokens ...any) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		switch t := t.(type) {
		case string:
			b.WriteString(escapeToken(t))
		case int:
			b.WriteString(strconv.Itoa(t))
		default:
			b.WriteString(escapeToken(fmt.Sprint(t)))
		}
	}
	return b.String()
}

// Prefix returns the violations as seen from the document that holds theirs at pointer. The given
// ones stay as they are.
func Prefix(violations []Violation, pointer string) []Violation {
	if len(violations) == 0 {
		return nil
	}
	moved := make([]Violation, len(violations))
	for i, v := range violations {
		v.Pointer = pointer + v.Pointer
		moved[i] = v
	}
	return moved
}

// escapeToken escapes ~ and / (RFC 6901 §3), in one pass so that "~1" stays a tilde and a one.
func escapeToken(token string) string {
	if !strings.ContainsAny(token, "~/") {
		return token
	}
	return tokenEscaper.Replace(token)
}

var tokenEscaper = strings.NewReplacer("~", "~0", "/", "~1")
