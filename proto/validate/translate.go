package validate

import (
	"fmt"
	"strconv"
	"strings"

	rulesv1 "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/options/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// finding is one broken rule with all that its words are made of.
type finding struct {
	name  string                       // of the rule within its type: "max_len"
	rules protoreflect.Message         // of its type: StringRules
	field protoreflect.FieldDescriptor // that breaks it
	value protoreflect.Value
	words string // protovalidate's own
}

// translate turns a finding of protovalidate into a violation in our words.
func translate(root protoreflect.Message, found *protovalidate.Violation) problem.Violation {
	path := found.Proto.GetField()
	field, oneof := resolve(root.Descriptor(), path)
	if oneof != nil {
		elements := path.GetElements()
		parent := rulesv1.FieldPath_builder{Elements: elements[:len(elements)-1]}.Build()
		return exactlyOne(pointer(parent), oneof)
	}
	violation := problem.Violation{Pointer: pointer(path), Code: problem.ViolationInvalidValue, Detail: found.Proto.GetMessage()}
	if field == nil {
		return violation
	}
	rule := found.Proto.GetRuleId()
	f := finding{
		name:  rule[strings.LastIndexByte(rule, '.')+1:],
		rules: rulesAt(field, found.Proto.GetRule()),
		field: field, value: found.FieldValue, words: found.Proto.GetMessage(),
	}
	f.explain(&violation)
	if found.Proto.GetForKey() {
		violation.Detail = "its key " + violation.Detail
	}
	if secret(field) {
		violation.Given = ""
	}
	return violation
}

// resolve follows a path and returns the field at its end, or the oneof.
func resolve(md protoreflect.MessageDescriptor, path *rulesv1.FieldPath) (protoreflect.FieldDescriptor, protoreflect.OneofDescriptor) {
	var field protoreflect.FieldDescriptor
	for _, e := range path.GetElements() {
		if md == nil {
			return nil, nil
		}
		name := protoreflect.Name(e.GetFieldName())
		if field = md.Fields().ByName(name); field == nil {
			return nil, md.Oneofs().ByName(name)
		}
		md = field.Message()
		if field.IsMap() {
			md = field.MapValue().Message()
		}
	}
	return field, nil
}

func exactlyOne(pointer string, oneof protoreflect.OneofDescriptor) problem.Violation {
	names := make([]string, oneof.Fields().Len())
	for i := range names {
		names[i] = string(oneof.Fields().Get(i).Name())
	}
	return problem.Violation{
		Pointer: pointer,
		Code:    problem.ViolationRequired,
		Detail:  "must have exactly one of " + form.Join(names, "or"),
		Allowed: strings.Join(names, ", "),
	}
}

// explain fills in the code, the words, what was given and what is allowed.
func (f finding) explain(v *problem.Violation) {
	v.Given = form.Given(text(f.field, f.value))
	switch f.name {
	case "required":
		v.Code, v.Detail, v.Given = problem.ViolationRequired, "must be given", ""
	case "min_len", "min_bytes", "len", "len_bytes", "max_len", "max_bytes":
		f.explainLength(v)
	case "min_items", "max_items", "min_pairs", "max_pairs":
		f.explainCount(v)
	case "gt", "gte", "lt", "lte", "gt_lt", "gt_lte", "gte_lt", "gte_lte":
		v.Code, v.Allowed = problem.ViolationOutOfRange, span(f.rules)
		v.Detail = "must be " + v.Allowed
	case "unique":
		f.explainDuplicate(v)
	case "pattern":
		v.Code, v.Allowed = problem.ViolationInvalidFormat, bound(f.rules, "pattern")
		v.Detail = "must match the pattern " + v.Allowed
	default:
		f.explainValue(v)
	}
}

func (f finding) explainLength(v *problem.Violation) {
	v.Code = problem.ViolationTooLong
	if strings.HasPrefix(f.name, "min") {
		v.Code = problem.ViolationTooShort
	}
	noun := "character"
	if strings.HasSuffix(f.name, "bytes") {
		noun = "byte"
	}
	v.Allowed = extent(f.name) + plural(bound(f.rules, protoreflect.Name(f.name)), noun)
	v.Detail = "must have " + v.Allowed
}

func (f finding) explainCount(v *problem.Violation) {
	v.Code = problem.ViolationTooMany
	if strings.HasPrefix(f.name, "min") {
		v.Code = problem.ViolationTooFew
	}
	v.Given = strconv.Itoa(count(f.value))
	v.Allowed = extent(f.name) + bound(f.rules, protoreflect.Name(f.name))
	v.Detail = "must have " + extent(f.name) + plural(bound(f.rules, protoreflect.Name(f.name)), "entry")
}

// explainDuplicate points at the first entry that is there a second time.
func (f finding) explainDuplicate(v *problem.Violation) {
	v.Code, v.Detail = problem.ViolationNotUnique, "must not have the same entry twice"
	entries, ok := f.value.Interface().(protoreflect.List)
	if !ok {
		return
	}
	seen := map[any]int{}
	for i := range entries.Len() {
		key := entries.Get(i).Interface()
		if b, isBytes := key.([]byte); isBytes {
			key = string(b)
		}
		if first, twice := seen[key]; twice {
			v.Detail = fmt.Sprintf("is the same as entry %d; each may be there once", first)
			v.Given = form.Given(text(f.field, entries.Get(i)))
			v.Pointer += problem.Pointer(i)
			return
		}
		seen[key] = i
	}
}

// explainValue is for rules that name values.
func (f finding) explainValue(v *problem.Violation) {
	switch f.name {
	case "const":
		v.Allowed = bound(f.rules, "const")
		v.Detail = "must be " + v.Allowed
	case "in":
		v.Allowed = strings.Join(list(f.rules, "in"), ", ")
		v.Detail = "must be one of " + form.Join(list(f.rules, "in"), "or")
	case "defined_only", "not_in":
		v.Detail = "must not be " + v.Given
		if enum := f.field.Enum(); enum != nil {
			v.Allowed = strings.Join(form.EnumNames(enum), ", ")
			v.Detail = "must be one of " + form.Join(form.EnumNames(enum), "or")
		}
	default: // a rule of its own: its author wrote the words
		v.Detail = f.words
	}
}

func extent(rule string) string {
	switch {
	case strings.HasPrefix(rule, "min"):
		return "at least "
	case strings.HasPrefix(rule, "max"):
		return "at most "
	}
	return "exactly "
}

func plural(number, noun string) string {
	if number == "1" {
		return number + " " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return number + " " + stem + "ies"
	}
	return number + " " + noun + "s"
}

func count(v protoreflect.Value) int {
	switch value := v.Interface().(type) {
	case protoreflect.List:
		return value.Len()
	case protoreflect.Map:
		return value.Len()
	}
	return 0
}

// secret tells whether a field's value must not be repeated.
func secret(field protoreflect.FieldDescriptor) bool {
	options, ok := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldOptions)
	return ok && options.GetSecret()
}
