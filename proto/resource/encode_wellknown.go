package resource

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// wellKnown writes a message that has a JSON form of its own.
func (e *encoder) wellKnown(m protoreflect.Message) error {
	switch v := m.Interface().(type) {
	case *durationpb.Duration:
		return e.duration(v)
	case *timestamppb.Timestamp:
		return e.timestamp(v)
	case *structpb.Struct:
		return e.structure(v)
	case *structpb.ListValue:
		return e.listValue(v)
	case *structpb.Value:
		return e.anyValue(v)
	}
	return fmt.Errorf("a value of type %s has no JSON form", m.Descriptor().FullName())
}

func (e *encoder) duration(d *durationpb.Duration) error {
	if err := d.CheckValid(); err != nil {
		return err
	}
	e.dst = append(e.dst, '"')
	e.dst = form.AppendDuration(e.dst, d.GetSeconds(), d.GetNanos())
	e.dst = append(e.dst, '"')
	return nil
}

func (e *encoder) timestamp(t *timestamppb.Timestamp) error {
	if err := t.CheckValid(); err != nil {
		return err
	}
	e.dst = append(e.dst, '"')
	e.dst = form.AppendTime(e.dst, t.GetSeconds(), t.GetNanos())
	e.dst = append(e.dst, '"')
	return nil
}

func (e *encoder) structure(s *structpb.Struct) error {
	e.dst = append(e.dst, '{')
	for i, name := range slices.Sorted(maps.Keys(s.GetFields())) {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.name(name)
		if err := e.anyValue(s.GetFields()[name]); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, '}')
	return nil
}

func (e *encoder) listValue(l *structpb.ListValue) error {
	e.dst = append(e.dst, '[')
	for i, v := range l.GetValues() {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.anyValue(v); err != nil {
			return err
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *encoder) anyValue(v *structpb.Value) error {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		e.dst = strconv.AppendBool(e.dst, kind.BoolValue)
	case *structpb.Value_StringValue:
		e.dst = form.AppendString(e.dst, kind.StringValue)
	case *structpb.Value_NumberValue:
		return e.double(kind.NumberValue, 64)
	case *structpb.Value_StructValue:
		return e.structure(kind.StructValue)
	case *structpb.Value_ListValue:
		return e.listValue(kind.ListValue)
	default:
		e.dst = append(e.dst, "null"...)
	}
	return nil
}

// config writes a configuration bare: its kind stands beside it.
func (e *encoder) config(m protoreflect.Message) error {
	packed, ok := m.Interface().(*anypb.Any)
	if !ok {
		return fmt.Errorf("%s is no packed configuration", m.Descriptor().FullName())
	}
	_, config, err := kinds.Unpack(packed)
	if err != nil {
		return err
	}
	return e.message(config.ProtoReflect())
}
