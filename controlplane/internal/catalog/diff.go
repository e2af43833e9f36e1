package catalog

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Diff returns what changed from one revision to another, which may be the earlier one; 0 is the empty
// configuration. Objects come in the order of the registry and of their names.
func (c *Catalog) Diff(ctx context.Context, environment string, from, to uint64) ([]Change, error) {
	at, err := c.store.Position(ctx, environment)
	if err != nil {
		return nil, err
	}
	for _, number := range []uint64{from, to} {
		if number > at.Revision {
			return nil, problem.Errorf(problem.NotFound, "there is no revision %d; the latest is %d", number, at.Revision)
		}
	}
	differences, err := c.store.Differences(ctx, environment, min(from, to), max(from, to))
	if err != nil {
		return nil, err
	}
	changes := make([]Change, 0, len(differences))
	for _, d := range differences {
		if from > to {
			d.Before, d.After = d.After, d.Before
		}
		if bytes.Equal(d.Before, d.After) {
			continue
		}
		change, err := d.change()
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	slices.SortFunc(changes, compareChanges)
	return changes, nil
}

func (d Difference) change() (Change, error) {
	var before, after *Object
	var err error
	if d.Before != nil {
		if before, err = readObject(d.Collection, d.Before); err != nil {
			return Change{}, fmt.Errorf("before: %w", err)
		}
	}
	if d.After != nil {
		if after, err = readObject(d.Collection, d.After); err != nil {
			return Change{}, fmt.Errorf("after: %w", err)
		}
	}
	return Edit{Before: before, After: after}.Change(), nil
}

func compareChanges(a, b Change) int {
	if c := order(a.Collection) - order(b.Collection); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a.Name), []byte(b.Name))
}

func order(collection string) int {
	return slices.IndexFunc(resource.Types(), func(t *resource.Type) bool { return t.Collection == collection })
}

// Change returns the edit as it is shown.
func (e Edit) Change() Change {
	switch {
	case e.Before == nil:
		return Change{Action: Created, Collection: e.After.Collection, ID: e.After.ID, Name: e.After.Name, After: e.After.Message}
	case e.After == nil:
		return Change{Action: Deleted, Collection: e.Before.Collection, ID: e.Before.ID, Name: e.Before.Name, Before: e.Before.Message}
	default:
		return Change{
			Action: Updated, Collection: e.After.Collection, ID: e.After.ID, Name: e.After.Name,
			Fields: Fields(e.Before.Message, e.After.Message), Before: e.Before.Message, After: e.After.Message,
		}
	}
}

// Fields returns the JSON pointers of the fields in which two messages of one type differ, as deep as
// they can be told: "/upstream/targets/0/weight".
func Fields(before, after proto.Message) []string {
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
