package resource

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
)

// Differences returns the JSON pointers of the fields in which two messages of one type differ, as deep as
// they can be told: "/upstream/targets/0/weight".
func Differences(before, after proto.Message) []string {
	var fields []string
	fieldsOf("", before.ProtoReflect(), after.ProtoReflect(), &fields)
	return fields
}

func fieldsOf(at string, a, b protoreflect.Message, out *[]string) {
	fds := a.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		if !a.Has(fd) && !b.Has(fd) {
			continue
		}
		pointer := at + problem.Pointer(string(fd.Name()))
		switch {
		case a.Has(fd) != b.Has(fd):
			*out = append(*out, pointer)
		case fd.IsList():
			listFields(pointer, fd, a.Get(fd).List(), b.Get(fd).List(), out)
		case fd.IsMap():
			mapFields(pointer, a.Get(fd).Map(), b.Get(fd).Map(), out)
		default:
			valueFields(pointer, fd, a.Get(fd), b.Get(fd), out)
		}
	}
}

func listFields(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.List, out *[]string) {
	for i := range max(a.Len(), b.Len()) {
		pointer := at + problem.Pointer(i)
		if i >= a.Len() || i >= b.Len() {
			*out = append(*out, pointer)
			continue
		}
		valueFields(pointer, fd, a.Get(i), b.Get(i), out)
	}
}

func mapFields(at string, a, b protoreflect.Map, out *[]string) {
	var keys []string
	differ := func(k protoreflect.MapKey, v protoreflect.Value, other protoreflect.Map) {
		if !other.Has(k) || !v.Equal(other.Get(k)) {
			keys = append(keys, at+problem.Pointer(k.String()))
		}
	}
	a.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool { differ(k, v, b); return true })
	b.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool { differ(k, v, a); return true })
	slices.Sort(keys)
	*out = append(*out, slices.Compact(keys)...)
}

func valueFields(at string, fd protoreflect.FieldDescriptor, a, b protoreflect.Value, out *[]string) {
	switch {
	case a.Equal(b):
	case fd.Message() == nil:
		*out = append(*out, at)
	case fd.Message().FullName() == "google.protobuf.Any":
		anyFields(at, a.Message(), b.Message(), out)
	case fd.Message().FullName().Parent() == "google.protobuf":
		*out = append(*out, at)
	default:
		fieldsOf(at, a.Message(), b.Message(), out)
	}
}

// anyFields looks into the configurations of policies.
func anyFields(at string, a, b protoreflect.Message, out *[]string) {
	kindA, configA, errA := unpack(a)
	kindB, configB, errB := unpack(b)
	if errA != nil || errB != nil || kindA != kindB {
		*out = append(*out, at)
		return
	}
	fieldsOf(at, configA.ProtoReflect(), configB.ProtoReflect(), out)
}

func unpack(m protoreflect.Message) (string, proto.Message, error) {
	packed, ok := m.Interface().(*anypb.Any)
	if !ok {
		return "", nil, fmt.Errorf("%s is no Any of this build", m.Descriptor().FullName())
	}
	kind, config, err := kinds.Unpack(packed)
	return kind.Name, config, err
}
