package resource

import (
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// Reference is a field that names another object.
type Reference struct {
	Pointer    string // JSON pointer of the field
	Collection string // of the object named ("services")
	Value      string // id or name, as it stands
}

// References returns every reference that a message holds, at any depth and inside a policy's configuration too, in the order
// of the fields. Empty ones are none.
func References(m proto.Message) []Reference {
	var all []Reference
	w := walker{codec: std, visit: func(r Reference) string {
		all = append(all, r)
		return r.Value
	}}
	w.message(m.ProtoReflect(), nil)
	return all
}

// Rewrite puts what f returns in the place of every reference's value, in m itself.
func Rewrite(m proto.Message, f func(Reference) string) {
	w := walker{codec: std, visit: f}
	w.message(m.ProtoReflect(), nil)
}

// walker meets every reference of a message and puts the visitor's answer in its place.
type walker struct {
	codec *codec
	visit func(Reference) string
}

func (w *walker) message(m protoreflect.Message, at *jsontree.Place) {
	if isWellKnown(m.Descriptor()) {
		return
	}
	p := w.codec.plan(m.Descriptor())
	if !p.references {
		return
	}
	for _, f := range p.fields {
		if !m.Has(f.desc) {
			continue
		}
		if f.options.GetReference() != "" {
			w.reference(f, m, f.placed(at))
			continue
		}
		w.below(f, m, f.placed(at))
	}
}

// reference visits a field that refers: one text, or a list or map of them.
func (w *walker) reference(f *field, m protoreflect.Message, at *jsontree.Place) {
	collection := f.options.GetReference()
	changed := func(at *jsontree.Place, v protoreflect.Value) (protoreflect.Value, bool) {
		was := v.String()
		if was == "" {
			return v, false
		}
		is := w.visit(Reference{Pointer: at.Pointer(), Collection: collection, Value: was})
		return protoreflect.ValueOfString(is), is != was
	}
	switch {
	case f.desc.IsList():
		entries := m.Mutable(f.desc).List()
		for i := range entries.Len() {
			place := at.Item(i)
			if v, ok := changed(&place, entries.Get(i)); ok {
				entries.Set(i, v)
			}
		}
	case f.desc.IsMap():
		entries := m.Mutable(f.desc).Map()
		for _, key := range sortedKeys(entries) {
			place := at.Member(key.String())
			if v, ok := changed(&place, entries.Get(key)); ok {
				entries.Set(key, v)
			}
		}
	default:
		if v, ok := changed(at, m.Get(f.desc)); ok {
			m.Set(f.desc, v)
		}
	}
}

// below goes on into what a field holds.
func (w *walker) below(f *field, m protoreflect.Message, at *jsontree.Place) {
	switch {
	case f.typedBy != nil:
		w.config(m.Get(f.desc).Message(), at)
	case f.message == nil || !f.message.references:
	case f.desc.IsMap():
		entries := m.Get(f.desc).Map()
		for _, key := range sortedKeys(entries) {
			place := at.Member(key.String())
			w.message(entries.Get(key).Message(), &place)
		}
	case f.desc.IsList():
		entries := m.Get(f.desc).List()
		for i := range entries.Len() {
			place := at.Item(i)
			w.message(entries.Get(i).Message(), &place)
		}
	default:
		w.message(m.Get(f.desc).Message(), at)
	}
}

// config goes on into a configuration, and packs it again only when its kind has references at all.
func (w *walker) config(m protoreflect.Message, at *jsontree.Place) {
	changeConfig(m, func(config protoreflect.Message) { w.message(config, at) })
}

// sortedKeys returns the keys of a map, numbers in the order of numbers.
func sortedKeys(entries protoreflect.Map) []protoreflect.MapKey {
	keys := make([]protoreflect.MapKey, 0, entries.Len())
	entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int {
		x, errX := strconv.ParseInt(a.String(), 10, 64)
		y, errY := strconv.ParseInt(b.String(), 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a.String(), b.String())
	})
	return keys
}
