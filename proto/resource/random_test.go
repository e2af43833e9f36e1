package resource

import (
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
)

// Fuzzing bytes rarely gets to messages that are full; these are.
func TestAnyMessageSurvivesJSON(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	for range 60 {
		for _, empty := range ourMessages() {
			m := g.message(empty.ProtoReflect().Type(), 4)
			document, err := Encode(m)
			if err != nil {
				t.Fatalf("%v: %v", m, err)
			}
			back := m.ProtoReflect().New().Interface()
			if violations := Decode(document, back); len(violations) > 0 {
				t.Fatalf("%s is refused: %v", document, violations)
			}
			if !proto.Equal(m, back) {
				t.Fatalf("%v\ncame back by %s\nas %v", m, document, back)
			}
			patched, violations := MergePatch(m, []byte(`{}`))
			if len(violations) > 0 || !proto.Equal(m, patched) {
				t.Fatalf("an empty patch made %v of %v: %v", patched, m, violations)
			}
			if err := RefuseUnknown(m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// generator makes messages that JSON can hold, out of random numbers.
type generator struct{ *rand.Rand }

func (g generator) message(mt protoreflect.MessageType, depth int) proto.Message {
	m := mt.New()
	fields := mt.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		oneof := f.ContainingOneof()
		if g.IntN(4) == 0 || oneof != nil && m.WhichOneof(oneof) != nil || depth == 0 && f.Message() != nil {
			continue
		}
		g.field(m, f, depth)
	}
	return m.Interface()
}

func (g generator) field(m protoreflect.Message, f protoreflect.FieldDescriptor, depth int) {
	switch {
	case Options(f).GetTypedBy() != "":
		kind := kinds.All()[g.IntN(len(kinds.All()))]
		config, err := pack(kind.TypeURL(), g.message(kind.New().ProtoReflect().Type(), depth-1))
		if err != nil {
			panic(err)
		}
		m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(Options(f).GetTypedBy())), protoreflect.ValueOfString(kind.Name))
		m.Set(f, protoreflect.ValueOfMessage(config.ProtoReflect()))
	case isKindName(f): // comes with the configuration
	case f.IsMap():
		for range g.IntN(3) {
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(g.text()).MapKey(), g.value(f.MapValue(), m.NewField(f).Map().NewValue(), depth))
		}
	case f.IsList():
		for range g.IntN(3) {
			list := m.Mutable(f).List()
			list.Append(g.value(f, list.NewElement(), depth))
		}
	default:
		m.Set(f, g.value(f, m.NewField(f), depth))
	}
}

// isKindName tells whether a field names the kind of a sibling.
func isKindName(f protoreflect.FieldDescriptor) bool {
	siblings := f.ContainingMessage().Fields()
	for i := range siblings.Len() {
		if Options(siblings.Get(i)).GetTypedBy() == string(f.Name()) {
			return true
		}
	}
	return false
}

func (g generator) value(f protoreflect.FieldDescriptor, empty protoreflect.Value, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(g.text()))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 + g.IntN(f.Enum().Values().Len()-1)))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(g.Uint32())
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(g.Uint64())
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(g.Uint64()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(g.Uint32()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.Float64frombits(g.Uint64() & 0x7fdfffffffffffff)) // a number
	case protoreflect.MessageKind:
		return protoreflect.ValueOfMessage(g.held(empty.Message().Type(), depth).ProtoReflect())
	default:
		panic("no random value for " + f.Kind().String())
	}
}

func (g generator) held(mt protoreflect.MessageType, depth int) proto.Message {
	switch mt.Zero().Interface().(type) {
	case *durationpb.Duration:
		return &durationpb.Duration{Seconds: int64(g.Uint32()), Nanos: g.Int32N(1e9)}
	case *timestamppb.Timestamp:
		return &timestamppb.Timestamp{Seconds: int64(g.Uint32()), Nanos: g.Int32N(1e9)}
	case *structpb.Struct:
		return &structpb.Struct{Fields: map[string]*structpb.Value{
			g.text(): structpb.NewNumberValue(math.Float64frombits(g.Uint64() & 0x7fdfffffffffffff)),
			g.text(): structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue(g.text()), structpb.NewNullValue()}}),
		}}
	case *anypb.Any:
		panic("an Any without kind")
	}
	return g.message(mt, depth-1)
}

func (g generator) text() string {
	letters := []rune("ab/~\"\\\n\x00é😀\u2028<>{}")
	text := make([]rune, g.IntN(5))
	for i := range text {
		text[i] = letters[g.IntN(len(letters))]
	}
	return string(text)
}
