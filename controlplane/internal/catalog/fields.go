package catalog

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// setField sets a text field that every resource has ("id", "name").
func setField(m proto.Message, field protoreflect.Name, value string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(field), protoreflect.ValueOfString(value))
}

// SetID gives a resource its id.
func SetID(m resource.Message, id string) { setField(m, "id", id) }

// SetName gives a resource its name.
func SetName(m resource.Message, name string) { setField(m, "name", name) }

// Unwritten returns a singleton as it is before it is first written.
func Unwritten(t *resource.Type) resource.Message {
	m := t.New()
	SetName(m, t.Collection)
	return m
}

// filter is one field's path ("service", "attached_to.route") and the value that it must have somewhere.
type filter struct {
	path  []protoreflect.Name
	value string
}

// parseFilter reads a filter, and tells whether a type has such a field.
func parseFilter(md protoreflect.MessageDescriptor, path, value string) (filter, bool) {
	f := filter{value: value}
	for step := range strings.SplitSeq(path, ".") {
		if md == nil {
			return filter{}, false
		}
		fd := md.Fields().ByName(protoreflect.Name(step))
		if fd == nil || fd.IsMap() {
			return filter{}, false
		}
		f.path = append(f.path, fd.Name())
		md = fd.Message()
		if md != nil && md.FullName().Parent() == "google.protobuf" {
			return filter{}, false
		}
	}
	return f, md == nil
}

// matches tells whether the field has the value: as JSON shows it, or, where it refers to an object, as
// that object's name.
func (f filter) matches(h *Head, o *Object) bool {
	message := resource.Defaulted(o.Message)
	return f.holds(h, o, message.ProtoReflect(), f.path)
}

func (f filter) holds(h *Head, o *Object, m protoreflect.Message, path []protoreflect.Name) bool {
	fd := m.Descriptor().Fields().ByName(path[0])
	if fd.IsList() {
		list := m.Get(fd).List()
		for i := range list.Len() {
			if f.holdsValue(h, o, fd, list.Get(i), path[1:]) {
				return true
			}
		}
		return false
	}
	if fd.Message() != nil && !m.Has(fd) {
		return false
	}
	return f.holdsValue(h, o, fd, m.Get(fd), path[1:])
}

func (f filter) holdsValue(h *Head, o *Object, fd protoreflect.FieldDescriptor, v protoreflect.Value, rest []protoreflect.Name) bool {
	if fd.Message() != nil {
		return f.holds(h, o, v.Message(), rest)
	}
	if fd.Enum() != nil {
		return f.value == enumText(fd.Enum(), v.Enum())
	}
	text := v.String()
	if text == f.value {
		return true
	}
	return id.LooksLikeID(text) && !id.LooksLikeID(f.value) && f.names(h, o, text)
}

// names tells whether the field's text is a reference to an object of the wanted name.
func (f filter) names(h *Head, o *Object, text string) bool {
	for _, r := range o.references {
		if r.Value != text {
			continue
		}
		if to, ok := h.objects.get(ref{r.Collection, r.Value}); ok && to.Name == f.value {
			return true
		}
	}
	return false
}

// enumText is an enum's value as JSON shows it: without its type's name, in lower case.
func enumText(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	value := ed.Values().ByNumber(n)
	if value == nil {
		return ""
	}
	zero := string(ed.Values().Get(0).Name())
	prefix, _ := strings.CutSuffix(zero, "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}
