package resource

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// Bounds of names and labels.
const (
	maxName       = 63
	maxLabels     = 64
	maxLabelKey   = 63
	maxLabelValue = 256
)

// NamePattern is what names match, as a regular expression.
const NamePattern = `^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`

const nameWords = "1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, beginning and ending with a letter or digit"

// checkIdentity checks what every resource has.
func (t *Type) checkIdentity(m Message) []problem.Violation {
	var violations []problem.Violation
	if given := m.GetId(); given != "" {
		if _, err := id.Parse(t.Prefix, given); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: "/id", Code: problem.ViolationInvalidFormat, Given: form.Given(given),
				Detail: "is no id of a " + t.Singular + "; leave it out, the server sets it", Allowed: t.Prefix + "_…",
			})
		}
	}
	if t.Singleton && m.GetName() != t.Collection {
		violations = append(violations, problem.Violation{
			Pointer: "/name", Code: problem.ViolationInvalidValue, Given: form.Given(m.GetName()),
			Detail: "must be " + t.Collection + ": there is one such object in an environment", Allowed: t.Collection,
		})
	} else {
		violations = append(violations, CheckName(m.GetName())...)
	}
	return append(violations, CheckLabels(m.GetLabels())...)
}

// CheckName returns what is wrong with an object's name, pointing at /name. A name is part of paths, and so can't look like an id.
func CheckName(name string) []problem.Violation {
	violation := problem.Violation{Pointer: "/name", Given: form.Given(name), Allowed: nameWords}
	switch {
	case name == "":
		violation.Code, violation.Detail = problem.ViolationRequired, "must be given"
	case len(name) > maxName:
		violation.Code, violation.Detail = problem.ViolationTooLong, "must have at most 63 characters"
	case !isName(name):
		violation.Code, violation.Detail = problem.ViolationInvalidFormat, "must be "+nameWords
	case id.LooksLikeID(name):
		violation.Code, violation.Detail = problem.ViolationNameLooksLikeID, "must not look like an id: either may stand in a path"
	default:
		return nil
	}
	return []problem.Violation{violation}
}

// isName tells whether every character of a name is allowed where it is.
func isName(name string) bool {
	for i, c := range []byte(name) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		inside := i > 0 && i < len(name)-1
		if !alphanumeric && (!inside || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return name != ""
}

// CheckLabels returns what is wrong with an object's labels, pointing below /labels, in the order of their keys.
func CheckLabels(labels map[string]string) []problem.Violation {
	var violations []problem.Violation
	if len(labels) > maxLabels {
		violations = append(violations, problem.Violation{
			Pointer: "/labels", Code: problem.ViolationTooMany, Detail: "must have at most 64 entries",
			Given: strconv.Itoa(len(labels)), Allowed: "at most 64",
		})
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pointer := problem.Pointer("labels", key)
		if !isLabelKey(key) {
			violations = append(violations, problem.Violation{
				Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(key),
				Detail:  "its name must be " + labelKeyWords,
				Allowed: labelKeyWords,
			})
		}
		if value := labels[key]; len(value) > maxLabelValue || strings.ContainsFunc(value, unfitForLabel) {
			violations = append(violations, problem.Violation{
				Pointer: pointer, Code: problem.ViolationInvalidFormat, Given: form.Given(value),
				Detail:  "must be " + labelValueWords,
				Allowed: labelValueWords,
			})
		}
	}
	return violations
}

const (
	labelKeyWords   = "1 to 63 characters of letters, digits, dot, underscore, slash and hyphen, beginning and ending with a letter or digit"
	labelValueWords = "at most 256 bytes, without commas and control characters"
)

func isLabelKey(key string) bool {
	return len(key) <= maxLabelKey && isName(strings.ReplaceAll(asciiLower(key), "/", "-"))
}

// unfitForLabel tells whether a character can't be in a label's value: a comma parts the labels that one selects by.
func unfitForLabel(r rune) bool { return r == ',' || unicode.IsControl(r) }

// asciiLower lowers A to Z alone: no other letter becomes one of a to z.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// CheckOutputOnly tells of fields that the server alone sets and that a writer gave another value than they had.
func CheckOutputOnly(before, after proto.Message) []problem.Violation {
	var violations []problem.Violation
	is, was := after.ProtoReflect(), before.ProtoReflect()
	fields := is.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if Options(fd).GetOutputOnly() && is.Has(fd) && !is.Get(fd).Equal(was.Get(fd)) {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(string(fd.Name())), Code: problem.ViolationImmutable, Detail: "The server alone sets this field; leave it out, or as it is.",
			})
		}
	}
	return violations
}
