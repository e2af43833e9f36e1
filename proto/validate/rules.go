package validate

import (
	"strconv"

	rulesv1 "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/resource/form"
)

// Rules returns the rules that a field has in its .proto; empty ones when it has none.
func Rules(field protoreflect.FieldDescriptor) *rulesv1.FieldRules {
	rules, ok := proto.GetExtension(field.Options(), rulesv1.E_Field).(*rulesv1.FieldRules)
	if !ok || rules == nil {
		return &rulesv1.FieldRules{}
	}
	return rules
}

// Required tells whether exactly one member of a oneof must be given.
func Required(oneof protoreflect.OneofDescriptor) bool {
	rules, ok := proto.GetExtension(oneof.Options(), rulesv1.E_Oneof).(*rulesv1.OneofRules)
	return ok && rules.GetRequired()
}

// rulesAt returns the message that holds the rule at the end of a path, such as UInt32Rules for
// [uint32 lte] and StringRules for [repeated items string pattern].
func rulesAt(field protoreflect.FieldDescriptor, path *rulesv1.FieldPath) protoreflect.Message {
	at := Rules(field).ProtoReflect()
	elements := path.GetElements()
	for i := range len(elements) - 1 {
		next := at.Descriptor().Fields().ByName(protoreflect.Name(elements[i].GetFieldName()))
		if next == nil || next.Message() == nil {
			return at
		}
		at = at.Get(next).Message()
	}
	return at
}

// span says in words which numbers or durations the rules allow: "1 to 1000", "at least 1ms".
func span(rules protoreflect.Message) string {
	low, above := bound(rules, "gte"), bound(rules, "gt")
	high, below := bound(rules, "lte"), bound(rules, "lt")
	switch {
	case low != "" && high != "":
		return low + " to " + high
	case low != "" && below != "":
		return "from " + low + ", less than " + below
	case above != "" && high != "":
		return "more than " + above + ", up to " + high
	case above != "" && below != "":
		return "more than " + above + ", less than " + below
	case low != "":
		return "at least " + low
	case high != "":
		return "at most " + high
	case above != "":
		return "more than " + above
	case below != "":
		return "less than " + below
	}
	return ""
}

// bound returns the value of a rule as text; "" when it isn't set.
func bound(rules protoreflect.Message, name protoreflect.Name) string {
	rule := rules.Descriptor().Fields().ByName(name)
	if rule == nil || rule.IsList() || !rules.Has(rule) {
		return ""
	}
	return text(rule, rules.Get(rule))
}

// list returns the values of a rule such as "in".
func list(rules protoreflect.Message, name protoreflect.Name) []string {
	rule := rules.Descriptor().Fields().ByName(name)
	if rule == nil || !rule.IsList() {
		return nil
	}
	values := rules.Get(rule).List()
	texts := make([]string, values.Len())
	for i := range texts {
		texts[i] = text(rule, values.Get(i))
	}
	return texts
}

// text returns a value as JSON would have it, texts without their quotes; "" for lists and objects.
func text(field protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	switch value := v.Interface().(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case protoreflect.EnumNumber:
		return enumText(field, value)
	case protoreflect.Message:
		return wellKnownText(value)
	case []byte, protoreflect.List, protoreflect.Map:
		return ""
	case float32, float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

func enumText(field protoreflect.FieldDescriptor, number protoreflect.EnumNumber) string {
	if field != nil && field.Enum() != nil {
		if name, ok := form.EnumName(field.Enum(), number); ok {
			return name
		}
	}
	return strconv.FormatInt(int64(number), 10)
}

func wellKnownText(m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	switch m.Descriptor().FullName() {
	case "google.protobuf.Duration":
		return string(form.AppendDuration(nil, m.Get(fields.ByNumber(1)).Int(), int32(m.Get(fields.ByNumber(2)).Int())))
	case "google.protobuf.Timestamp":
		return string(form.AppendTime(nil, m.Get(fields.ByNumber(1)).Int(), int32(m.Get(fields.ByNumber(2)).Int())))
	}
	return ""
}
