package resource

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport/sallyport/proto/resource/form"
)

// Encode writes a message as JSON: fields in the order of the .proto, absent ones left out, keys of maps sorted, no
// space. The same message always gives the same bytes. Defaults aren't written: they are not the message's.
//
// It fails for what JSON or the product has no form for: a number that is not finite, an enum's number that nobody
// defined, a configuration of an unknown kind.
func Encode(m proto.Message) ([]byte, error) { return Append(nil, m) }

// Append is Encode behind dst.
func Append(dst []byte, m proto.Message) ([]byte, error) {
	e := encoder{codec: std, dst: dst}
	if err := e.message(m.ProtoReflect()); err != nil {
		return dst, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return e.dst, nil
}

// AsStruct returns a message as the google.protobuf.Struct of its JSON, for bodies that hold objects of any type. Integers
// beyond 2⁵³ that a Struct can't hold are an error.
func AsStruct(m proto.Message) (*structpb.Struct, error) {
	document, err := Encode(m)
	if err != nil {
		return nil, err
	}
	s := &structpb.Struct{}
	if violations := Decode(document, s); len(violations) > 0 {
		return nil, fmt.Errorf("%s as a struct: %w", m.ProtoReflect().Descriptor().FullName(), AsError(violations))
	}
	return s, nil
}

type encoder struct {
	codec *codec
	dst   []byte
}

var errNotFinite = errors.New("a number is not finite")

func (e *encoder) message(m protoreflect.Message) error {
	if isWellKnown(m.Descriptor()) {
		return e.wellKnown(m)
	}
	first := true
	e.dst = append(e.dst, '{')
	for _, f := range e.codec.plan(m.Descriptor()).fields {
		if !m.Has(f.desc) || isUnstated(f.desc, m.Get(f.desc)) {
			continue
		}
		if !first {
			e.dst = append(e.dst, ',')
		}
		first = false
		e.name(f.name)
		if err := e.field(f, m.Get(f.desc)); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	e.dst = append(e.dst, '}')
	return nil
}

// isUnstated tells whether an enum says that it says nothing.
func isUnstated(desc protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	return desc.Kind() == protoreflect.EnumKind && !desc.IsList() && v.Enum() == 0
}

func (e *encoder) name(name string) {
	e.dst = form.AppendString(e.dst, name)
	e.dst = append(e.dst, ':')
}

func (e *encoder) field(f *field, v protoreflect.Value) error {
	switch {
	case f.typedBy != nil:
		return e.config(v.Message())
	case f.desc.IsMap():
		return e.mapping(f.desc, v.Map())
	case f.desc.IsList():
		return e.list(f.desc, v.List())
	}
	return e.value(f.desc, v)
}

func (e *encoder) list(desc protoreflect.FieldDescriptor, entries protoreflect.List) error {
	e.dst = append(e.dst, '[')
	for i := range entries.Len() {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.value(desc, entries.Get(i)); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *encoder) mapping(desc protoreflect.FieldDescriptor, entries protoreflect.Map) error {
	names := make([]string, 0, entries.Len())
	values := make(map[string]protoreflect.Value, entries.Len())
	entries.Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
		names = append(names, key.String())
		values[key.String()] = v
		return true
	})
	slices.Sort(names)
	e.dst = append(e.dst, '{')
	for i, name := range names {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.name(name)
		if err := e.value(desc.MapValue(), values[name]); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, '}')
	return nil
}

func (e *encoder) value(desc protoreflect.FieldDescriptor, v protoreflect.Value) error {
	switch desc.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return e.message(v.Message())
	case protoreflect.BoolKind:
		e.dst = strconv.AppendBool(e.dst, v.Bool())
	case protoreflect.StringKind:
		e.dst = form.AppendString(e.dst, v.String())
	case protoreflect.BytesKind:
		e.dst = append(e.dst, '"')
		e.dst = base64.StdEncoding.AppendEncode(e.dst, v.Bytes())
		e.dst = append(e.dst, '"')
	case protoreflect.EnumKind:
		name, ok := form.EnumName(desc.Enum(), v.Enum())
		if !ok {
			return fmt.Errorf("%s has no value with number %d", desc.Enum().FullName(), v.Enum())
		}
		e.dst = form.AppendString(e.dst, name)
	case protoreflect.FloatKind:
		return e.double(v.Float(), 32)
	case protoreflect.DoubleKind:
		return e.double(v.Float(), 64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		e.dst = strconv.AppendUint(e.dst, v.Uint(), 10)
	default:
		e.dst = strconv.AppendInt(e.dst, v.Int(), 10)
	}
	return nil
}

// Numbers in this span are written without an exponent, as scripts do.
const (
	leastPlain    = 1e-6
	greatestPlain = 1e21
)

// greatestInteger is the greatest integer up to which every other one is a double as well; beyond it, all doubles are integers.
const greatestInteger = 1 << 53

func (e *encoder) double(f float64, bits int) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errNotFinite
	}
	format, precision := byte('f'), -1
	switch size := math.Abs(f); {
	case size == 0:
		f = 0 // never a negative one
	case size < leastPlain || size >= greatestPlain:
		format = 'e'
	case size > greatestInteger:
		precision = 0 // every digit: the shortest text would be read as another integer, and refused
	}
	e.dst = strconv.AppendFloat(e.dst, f, format, precision, bits)
	return nil
}
