package api

import (
	"bytes"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// nulEscape is how JSON writes U+0000, which is Unicode but which no text in the database can hold.
var nulEscape = []byte(`\u0000`)

// checkText returns an error that points at every text of a body that holds U+0000. A body without the
// escape, which is nearly every one, isn't looked at further; nor is one that is no JSON, of which the
// codec says so.
func checkText(body []byte) error {
	if !bytes.Contains(body, nulEscape) {
		return nil
	}
	root, _, malformed := jsontree.Parse(body)
	if malformed != nil {
		root = jsontree.Value{}
	}
	return problem.Invalid(nulsIn(&root, "")...)
}

func nulsIn(v *jsontree.Value, pointer string) []problem.Violation {
	var violations []problem.Violation
	if v.Kind == jsontree.String && strings.ContainsRune(v.Text, 0) {
		violations = append(violations, nulAt(pointer))
	}
	for i := range v.Items {
		violations = append(violations, nulsIn(&v.Items[i], pointer+problem.Pointer(i))...)
	}
	for i := range v.Members {
		member := &v.Members[i]
		if strings.ContainsRune(member.Name, 0) {
			violations = append(violations, nulAt(pointer))
		}
		violations = append(violations, nulsIn(&member.Value, pointer+problem.Pointer(member.Name))...)
	}
	return violations
}

func nulAt(pointer string) problem.Violation {
	return problem.Violation{
		Pointer: pointer, Code: problem.ViolationInvalidValue, Detail: "Text can't hold the character U+0000; leave it out.",
	}
}
