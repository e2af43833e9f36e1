package resource

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
)

// Defaulted returns a copy of m in which every absent field that has a default has it, at any depth, and inside a policy's
// configuration too. Validation and compilation both work on it; it is never stored.
//
// A message that is absent is put in place when it is complete by its defaults alone (each of its fields has one):
// Upstream.timeouts is. Where the absence of such a message means something, its field is in a oneof or has the keyword
// "optional", and is left alone.
func Defaulted[M proto.Message](m M) M {
	copied := proto.CloneOf(m)
	std.fill(copied.ProtoReflect())
	return copied
}

func (c *codec) fill(m protoreflect.Message) {
	if isWellKnown(m.Descriptor()) {
		return
	}
	p := c.plan(m.Descriptor())
	if !p.defaults {
		return
	}
	for _, f := range p.fields {
		switch {
		case f.holder != nil:
			if !m.Has(f.desc) {
				m.Set(f.desc, proto.Clone(f.holder).ProtoReflect().Get(f.desc))
			}
		case f.mayAppear() && f.message.complete && !m.Has(f.desc):
			m.Set(f.desc, m.NewField(f.desc))
		}
		if m.Has(f.desc) {
			c.fillField(f, m)
		}
	}
}

// fillField fills in what a field holds.
func (c *codec) fillField(f *field, m protoreflect.Message) {
	switch {
	case f.typedBy != nil:
		changeConfig(m.Get(f.desc).Message(), c.fill)
	case f.message == nil:
	case f.desc.IsMap():
		m.Mutable(f.desc).Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			c.fill(v.Message())
			return true
		})
	case f.desc.IsList():
		entries := m.Mutable(f.desc).List()
		for i := range entries.Len() {
			c.fill(entries.Get(i).Message())
		}
	default:
		c.fill(m.Mutable(f.desc).Message())
	}
}

// changeConfig unpacks a configuration, has it changed, and packs it again. One that can't be unpacked stays as it is:
// validation refuses it.
func changeConfig(m protoreflect.Message, change func(protoreflect.Message)) {
	packed, ok := m.Interface().(*anypb.Any)
	if !ok {
		return
	}
	_, config, err := kinds.Unpack(packed)
	if err != nil {
		return
	}
	change(config.ProtoReflect())
	if changed, err := pack(packed.GetTypeUrl(), config); err == nil {
		packed.Value = changed.Value
	}
}
