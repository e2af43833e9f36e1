package audit

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	optionsv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/options/v1"
)

// masked stands where secret material was.
const masked = "[masked]"

// Masked returns a copy of a message in which every field is masked that the contract calls secret, at any depth.
func Masked(m proto.Message) proto.Message {
	copied := proto.Clone(m)
	mask(copied.ProtoReflect())
	return copied
}

func mask(m protoreflect.Message) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		maskAny(packed)
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case isSecret(field):
			hide(m, field)
		case field.IsMap():
			if field.MapValue().Message() != nil {
				value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					mask(v.Message())
					return true
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				mask(value.List().Get(i).Message())
			}
		default:
			mask(value.Message())
		}
		return true
	})
}

// maskAny masks what is packed. What can't be unpacked can't be looked into, and is left out.
func maskAny(packed *anypb.Any) {
	content, err := packed.UnmarshalNew()
	if err == nil {
		mask(content.ProtoReflect())
		err = packed.MarshalFrom(content)
	}
	if err != nil {
		packed.Value = nil
	}
}

func hide(m protoreflect.Message, field protoreflect.FieldDescriptor) {
	if field.Kind() == protoreflect.StringKind && !field.IsList() && !field.IsMap() {
		m.Set(field, protoreflect.ValueOfString(masked))
		return
	}
	m.Clear(field)
}

func isSecret(field protoreflect.FieldDescriptor) bool {
	options, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldOptions)
	return options.GetSecret()
}
