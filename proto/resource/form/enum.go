package form

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// EnumName returns how a value of an enum is written: in lower case and without the prefix that the
// enum's name gives all its values (MODE_ENFORCE of Mode is "enforce"). The value with number 0, which
// stands for "not stated", has no written form; nor has an unknown number: "" and false.
func EnumName(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) (string, bool) {
	value := enum.Values().ByNumber(number)
	if value == nil || number == 0 {
		return "", false
	}
	return valueName(enum, value), true
}

// EnumNumber returns the number of a written value.
func EnumNumber(enum protoreflect.EnumDescriptor, name string) (protoreflect.EnumNumber, bool) {
	values := enum.Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 && valueName(enum, v) == name {
			return v.Number(), true
		}
	}
	return 0, false
}

// EnumNames returns the written form of every value, in the order of the .proto.
func EnumNames(enum protoreflect.EnumDescriptor) []string {
	values := enum.Values()
	names := make([]string, 0, values.Len())
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			names = append(names, valueName(enum, v))
		}
	}
	return names
}

func valueName(enum protoreflect.EnumDescriptor, value protoreflect.EnumValueDescriptor) string {
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), enumPrefix(string(enum.Name()))))
}

// enumPrefix returns "HTTP_METHOD_" for HttpMethod: the prefix that buf's linter demands of values.
func enumPrefix(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		upper := c >= 'A' && c <= 'Z'
		if i > 0 && upper {
			b.WriteByte('_')
		}
		b.WriteByte(c)
	}
	return strings.ToUpper(b.String()) + "_"
}
