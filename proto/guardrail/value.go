package guardrail

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
)

// labels is a map field, told apart from a message.
type labels map[string]any

// Value returns what a message is in a rule: its fields by their names, as JSON has them, save that durations and times are
// CEL's. Fill in its defaults first.
func Value(m proto.Message) map[string]any { return valueOf(m.ProtoReflect()) }

func valueOf(m protoreflect.Message) map[string]any {
	fds := m.Descriptor().Fields()
	values := make(map[string]any, fds.Len())
	for i := range fds.Len() {
		fd := fds.Get(i)
		if fd.HasPresence() && !m.Has(fd) {
			continue
		}
		values[string(fd.Name())] = fieldOf(fd, m.Get(fd))
	}
	return values
}

func fieldOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch {
	case fd.IsMap():
		all := make(labels, v.Map().Len())
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			all[k.String()] = scalarOf(fd.MapValue(), v)
			return true
		})
		return all
	case fd.IsList():
		all := make([]any, v.List().Len())
		for i := range all {
			all[i] = scalarOf(fd, v.List().Get(i))
		}
		return all
	default:
		return scalarOf(fd, v)
	}
}

func scalarOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.EnumKind:
		return Word(fd.Enum(), v.Enum())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageOf(v.Message())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return int64(v.Uint())
	case protoreflect.BoolKind, protoreflect.StringKind, protoreflect.BytesKind:
		return v.Interface()
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float()
	default:
		return v.Int()
	}
}

func messageOf(m protoreflect.Message) any {
	switch m := m.Interface().(type) {
	case *durationpb.Duration:
		return m.AsDuration()
	case *timestamppb.Timestamp:
		return m.AsTime()
	case *anypb.Any:
		if _, config, err := kinds.Unpack(m); err == nil {
			return Value(config)
		}
		return map[string]any{}
	}
	return valueOf(m)
}

// Word returns an enum's value as JSON has it: without its type's name, in lower case.
func Word(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	value := ed.Values().ByNumber(n)
	if value == nil {
		return ""
	}
	prefix, _ := strings.CutSuffix(string(ed.Values().Get(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}
