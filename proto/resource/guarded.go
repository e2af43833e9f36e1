package resource

import (
	"bytes"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Guarded is a field that takes a permission of its own to write.
type Guarded struct {
	Pointer    string // JSON pointer of the field
	Permission string
	value      []byte
}

// GuardedChanges returns the fields that take a permission of their own and aren't in both messages, or not the same, at any depth and inside a policy's
// configuration too: what is given, changed and taken away. A nil message has none. The fields' options say so (permission).
//
// An entry of a list that moves has changed: its place is part of what it says.
func GuardedChanges(before, after proto.Message) []Guarded {
	was, is := guarded(before), guarded(after)
	var changed []Guarded
	for _, g := range is {
		if !slices.ContainsFunc(was, g.same) {
			changed = append(changed, g)
		}
	}
	for _, g := range was {
		at := func(other Guarded) bool { return other.Pointer == g.Pointer && other.Permission == g.Permission }
		if !slices.ContainsFunc(is, at) {
			changed = append(changed, g)
		}
	}
	slices.SortStableFunc(changed, func(a, b Guarded) int { return strings.Compare(a.Pointer, b.Pointer) })
	return changed
}

func (g Guarded) same(other Guarded) bool {
	return g.Pointer == other.Pointer && g.Permission == other.Permission && bytes.Equal(g.value, other.value)
}

func guarded(m proto.Message) []Guarded {
	if m == nil {
		return nil
	}
	var all []Guarded
	guardedOf(m.ProtoReflect(), nil, &all)
	return all
}

func guardedOf(m protoreflect.Message, at *jsontree.Place, all *[]Guarded) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		// Whatever type it is of, known as a kind or not: what can't be unpacked is refused for that.
		if config, err := packed.UnmarshalNew(); err == nil {
			guardedOf(config.ProtoReflect(), at, all)
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
		if permission := Options(desc).GetPermission(); permission != "" {
			*all = append(*all, Guarded{Pointer: place.Pointer(), Permission: permission, value: valueOf(m, desc)})
		}
		guardedIn(desc, m.Get(desc), &place, all)
	}
}

// guardedIn goes on into what a field holds.
func guardedIn(desc protoreflect.FieldDescriptor, v protoreflect.Value, at *jsontree.Place, all *[]Guarded) {
	switch {
	case desc.IsMap() && desc.MapValue().Message() != nil:
		for _, key := range sortedKeys(v.Map()) {
			place := at.Member(key.String())
			guardedOf(v.Map().Get(key).Message(), &place, all)
		}
	case desc.IsMap():
	case desc.IsList() && desc.Message() != nil:
		for i := range v.List().Len() {
			place := at.Item(i)
			guardedOf(v.List().Get(i).Message(), &place, all)
		}
	case !desc.IsList() && desc.Message() != nil:
		guardedOf(v.Message(), at, all)
	}
}

// valueOf returns what a field says, to be compared.
func valueOf(m protoreflect.Message, desc protoreflect.FieldDescriptor) []byte {
	alone := m.New()
	alone.Set(desc, m.Get(desc))
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(alone.Interface())
	if err != nil {
		return nil // can't be: it was unmarshalled, or is about to be stored
	}
	return value
}
