package resource

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	optionsv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/options/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Need is a place in a message that not every node understands.
type Need struct {
	Pointer    string // JSON pointer of the field
	Capability uint32 // that a node must have
}

// Needs returns what a message asks of nodes beyond the first capability, at any depth and inside a policy's configuration
// too. The fields' and values' options say so (capability): there is no list beside the contract.
func Needs(m proto.Message) []Need {
	var all []Need
	needsOf(m.ProtoReflect(), nil, &all)
	return all
}

func needsOf(m protoreflect.Message, at *jsontree.Place, all *[]Need) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		if kind, config, err := kinds.Unpack(packed); err == nil {
			add(all, at, kind.Capability)
			needsOf(config.ProtoReflect(), at, all)
		}
		return
	}
	if isWellKnown(m.Descriptor()) {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		desc := fields.Get(i)
		if !m.Has(desc) {
			continue
		}
		place := at.Member(string(desc.Name()))
		add(all, &place, Options(desc).GetCapability())
		needsOfField(desc, m.Get(desc), &place, all)
	}
}

func needsOfField(desc protoreflect.FieldDescriptor, v protoreflect.Value, at *jsontree.Place, all *[]Need) {
	switch {
	case desc.IsMap():
		for _, key := range sortedKeys(v.Map()) {
			place := at.Member(key.String())
			needsOfValue(desc.MapValue(), v.Map().Get(key), &place, all)
		}
	case desc.IsList():
		for i := range v.List().Len() {
			place := at.Item(i)
			needsOfValue(desc, v.List().Get(i), &place, all)
		}
	default:
		needsOfValue(desc, v, at, all)
	}
}

func needsOfValue(desc protoreflect.FieldDescriptor, v protoreflect.Value, at *jsontree.Place, all *[]Need) {
	switch {
	case desc.Message() != nil:
		needsOf(v.Message(), at, all)
	case desc.Enum() != nil:
		if value := desc.Enum().Values().ByNumber(v.Enum()); value != nil {
			options, _ := proto.GetExtension(value.Options(), optionsv1.E_Value).(*optionsv1.ValueOptions)
			add(all, at, options.GetCapability())
		}
	}
}

func add(all *[]Need, at *jsontree.Place, capability uint32) {
	if capability > 1 {
		*all = append(*all, Need{Pointer: at.Pointer(), Capability: capability})
	}
}
