package directory

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrUnknownField is returned for an entry that holds a field this node doesn't know. Skipping it
// could grant what it was to forbid.
var ErrUnknownField = errors.New("unknown field: the node is older than the entry")

// strict refuses unknown fields in a marshalled message, at any depth. It walks the bytes, since
// unmarshalling forgets the ones inside a map's entries.
func strict(data []byte, message protoreflect.MessageDescriptor) error {
	fields := message.Fields()
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		field := fields.ByNumber(number)
		if field == nil {
			return fmt.Errorf("%s, field %d: %w", message.FullName(), number, ErrUnknownField)
		}
		n = protowire.ConsumeFieldValue(number, wire, data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := strictField(data[:n], wire, field); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// strictField looks into a field's value. A wire type that isn't the field's would make unmarshal
// put the field among the unknown ones.
func strictField(value []byte, wire protowire.Type, field protoreflect.FieldDescriptor) error {
	if wire != wireType(field.Kind()) {
		return fmt.Errorf("%s as wire type %d: %w", field.FullName(), wire, ErrUnknownField)
	}
	if field.Kind() != protoreflect.MessageKind {
		return nil
	}
	inner, n := protowire.ConsumeBytes(value)
	if n < 0 {
		return protowire.ParseError(n)
	}
	return strict(inner, field.Message())
}

// wireType returns how the kinds that entries use travel. The others would be refused: a test
// tells when the contract starts to use one.
func wireType(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.BytesKind, protoreflect.StringKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.BoolKind, protoreflect.Int64Kind, protoreflect.Uint32Kind:
		return protowire.VarintType
	default:
		return -1
	}
}
