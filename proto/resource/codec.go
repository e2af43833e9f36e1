package resource

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	optionsv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/options/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// codec knows how each message looks in JSON and which defaults and references it holds: drawn once from the
// descriptors and never changed afterwards.
type codec struct {
	plans map[protoreflect.FullName]*plan
}

// plan is what the codec knows of one message.
type plan struct {
	fields []*field // in the order of the .proto
	byName map[string]*field
	names  []string // of the fields, in their order

	defaults   bool // a field has a default, here or below
	references bool // a field is a reference, here or below
	complete   bool // every field has a default, here and below: an empty one says all
}

// field is what the codec knows of one field.
type field struct {
	desc    protoreflect.FieldDescriptor
	name    string
	options *optionsv1.FieldOptions
	message *plan         // of the messages it holds; nil for scalars and well-known types
	typedBy *field        // names the kind that it is a configuration of; it is an Any
	holder  proto.Message // holds this field's default and nothing else; nil without default
}

// std is the codec of all our messages.
var std = newCodec(ourMessages())

// ourMessages returns one empty message of each type that travels as JSON; those that they hold follow by themselves.
func ourMessages() []proto.Message {
	var all []proto.Message
	for _, file := range []protoreflect.FileDescriptor{
		configv1.File_sallyport_config_v1_service_proto,
		configv1.File_sallyport_config_v1_route_proto,
		configv1.File_sallyport_config_v1_policy_proto,
		configv1.File_sallyport_config_v1_environment_settings_proto,
		adminv1.File_sallyport_admin_v1_admin_proto,
		adminv1.File_sallyport_admin_v1_epochs_proto,
	} {
		for i := range file.Messages().Len() {
			all = append(all, newMessage(file.Messages().Get(i)))
		}
	}
	for _, kind := range kinds.All() {
		all = append(all, kind.New())
	}
	return all
}

func newCodec(messages []proto.Message) *codec {
	c := &codec{plans: map[protoreflect.FullName]*plan{}}
	for _, m := range messages {
		c.add(m.ProtoReflect().Descriptor())
	}
	for _, p := range c.plans {
		p.defaults = c.reaches(p, nil, func(f *field) bool { return f.options.GetDefault() != "" })
		p.references = c.reaches(p, nil, func(f *field) bool { return f.options.GetReference() != "" })
		p.complete = isComplete(p, nil)
	}
	for _, p := range c.plans {
		c.fillHolders(p)
	}
	return c
}

// plan returns the plan of a message; one that isn't ours gets one for the occasion.
func (c *codec) plan(md protoreflect.MessageDescriptor) *plan {
	if p, ok := c.plans[md.FullName()]; ok {
		return p
	}
	return newCodec([]proto.Message{newMessage(md)}).plans[md.FullName()]
}

// add plans a message and all that it holds.
func (c *codec) add(md protoreflect.MessageDescriptor) *plan {
	if isWellKnown(md) {
		return nil
	}
	if p, ok := c.plans[md.FullName()]; ok {
		return p
	}
	p := &plan{byName: map[string]*field{}}
	c.plans[md.FullName()] = p
	for i := range md.Fields().Len() {
		f := c.newField(md.Fields().Get(i))
		p.fields = append(p.fields, f)
		p.names = append(p.names, f.name)
		p.byName[f.name] = f
	}
	for _, f := range p.fields {
		if sibling := f.options.GetTypedBy(); sibling != "" {
			f.typedBy = p.byName[sibling]
		}
	}
	return p
}

func (c *codec) newField(desc protoreflect.FieldDescriptor) *field {
	f := &field{desc: desc, name: string(desc.Name()), options: Options(desc)}
	if held := heldMessage(desc); held != nil {
		f.message = c.add(held)
	}
	return f
}

// fillHolders reads the defaults. A default that doesn't parse is a mistake in the .proto, which a test finds.
func (c *codec) fillHolders(p *plan) {
	for _, f := range p.fields {
		text := f.options.GetDefault()
		if text == "" {
			continue
		}
		holder := newMessage(f.desc.ContainingMessage())
		document := fmt.Appendf(nil, `{%q:%s}`, f.name, text)
		if len(c.decode(document, holder)) == 0 {
			f.holder = holder
		}
	}
}

// reaches tells whether a field of the plan, or of a message below it, is one that is asked for. A configuration of a kind
// may hold anything.
func (c *codec) reaches(p *plan, seen []*plan, asked func(*field) bool) bool {
	for _, s := range seen {
		if s == p {
			return false
		}
	}
	seen = append(seen, p)
	for _, f := range p.fields {
		if f.typedBy != nil || asked(f) || f.message != nil && c.reaches(f.message, seen, asked) {
			return true
		}
	}
	return false
}

// isComplete tells whether every field of a message has a default, or is a message of which that is true.
func isComplete(p *plan, seen []*plan) bool {
	for _, s := range seen {
		if s == p {
			return false
		}
	}
	seen = append(seen, p)
	for _, f := range p.fields {
		if f.options.GetDefault() != "" || f.mayAppear() && isComplete(f.message, seen) {
			continue
		}
		return false
	}
	return len(p.fields) > 0
}

// mayAppear tells whether an absent message may be put in place: not where its absence says something by itself, as in a
// oneof or with the keyword "optional".
func (f *field) mayAppear() bool {
	return f.message != nil && !f.desc.IsList() && !f.desc.IsMap() && f.desc.ContainingOneof() == nil
}

// Options returns what the .proto says of a field beyond its type; empty options when it says nothing.
func Options(desc protoreflect.FieldDescriptor) *optionsv1.FieldOptions {
	options, ok := proto.GetExtension(desc.Options(), optionsv1.E_Field).(*optionsv1.FieldOptions)
	if !ok || options == nil {
		return &optionsv1.FieldOptions{}
	}
	return options
}

// heldMessage returns the message that a field, a list's entry or a map's value is; nil for scalars.
func heldMessage(desc protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if desc.IsMap() {
		return desc.MapValue().Message()
	}
	return desc.Message()
}

// excludedBy returns the member of the same oneof that is set already; nil when there is none.
func excludedBy(m protoreflect.Message, desc protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	oneof := desc.ContainingOneof()
	if oneof == nil || oneof.IsSynthetic() {
		return nil
	}
	if set := m.WhichOneof(oneof); set != nil && set != desc {
		return set
	}
	return nil
}

// placed returns the place of a field in a message.
func (f *field) placed(at *jsontree.Place) *jsontree.Place {
	place := at.Member(f.name)
	return &place
}
