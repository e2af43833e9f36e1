package validate

import (
	"strconv"
	"strings"

	rulesv1 "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/sallyport/sallyport/proto/problem"
)

// pointer turns a path of fields into a JSON pointer.
func pointer(path *rulesv1.FieldPath) string {
	var b strings.Builder
	for _, e := range path.GetElements() {
		b.WriteString(problem.Pointer(e.GetFieldName()))
		if key, ok := subscript(e); ok {
			b.WriteString(problem.Pointer(key))
		}
	}
	return b.String()
}

// subscript returns the place in a list or the key in a map, as a pointer has it.
func subscript(e *rulesv1.FieldPathElement) (string, bool) {
	switch e.WhichSubscript() {
	case rulesv1.FieldPathElement_Index_case:
		return strconv.FormatUint(e.GetIndex(), 10), true
	case rulesv1.FieldPathElement_StringKey_case:
		return e.GetStringKey(), true
	case rulesv1.FieldPathElement_BoolKey_case:
		return strconv.FormatBool(e.GetBoolKey()), true
	case rulesv1.FieldPathElement_IntKey_case:
		return strconv.FormatInt(e.GetIntKey(), 10), true
	case rulesv1.FieldPathElement_UintKey_case:
		return strconv.FormatUint(e.GetUintKey(), 10), true
	default:
		return "", false
	}
}
