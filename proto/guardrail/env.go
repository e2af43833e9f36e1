package guardrail

import (
	"fmt"
	"reflect"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport/sallyport/proto/expression"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// objects are the collections whose objects rules can be over.
var objects = map[string]protoreflect.MessageDescriptor{
	"services": (*configv1.Service)(nil).ProtoReflect().Descriptor(),
	"routes":   (*configv1.Route)(nil).ProtoReflect().Descriptor(),
	"policies": (*configv1.Policy)(nil).ProtoReflect().Descriptor(),
	"settings": (*configv1.EnvironmentSettings)(nil).ProtoReflect().Descriptor(),

	"waf-exclusions": (*configv1.WafExclusion)(nil).ProtoReflect().Descriptor(),
}

// applied is the type of a policy in effective.
const applied = "Effective"

// appliedFields are its fields.
var appliedFields = map[string]*types.Type{
	"id": types.StringType, "name": types.StringType, "kind": types.StringType, "phase": types.StringType,
	"level": types.StringType, "mode": types.StringType, "final": types.BoolType, "position": types.IntType, "config": types.DynType,
}

// environments are made once, when the first rule is compiled.
var environments = sync.OnceValues(func() (map[string]*cel.Env, error) {
	known, err := newFields()
	if err != nil {
		return nil, err
	}
	all := make(map[string]*cel.Env, len(objects))
	for collection, object := range objects {
		variables := []cel.EnvOption{
			cel.CustomTypeProvider(known), cel.ParserExpressionSizeLimit(expression.MaxText), cel.ParserRecursionLimit(expression.MaxNesting),
			cel.Variable(Object, structOf(object)),
		}
		if collection == "routes" {
			variables = append(variables,
				cel.Variable(Service, structOf(objects["services"])),
				cel.Variable(Effective, cel.ListType(cel.ObjectType(applied))),
				cel.Variable(Public, cel.BoolType))
		}
		if all[collection], err = cel.NewEnv(variables...); err != nil {
			return nil, fmt.Errorf("rules over %s: %w", collection, err)
		}
	}
	return all, nil
})

func environmentOf(collection string) (*cel.Env, error) {
	all, err := environments()
	if err != nil {
		return nil, err
	}
	env, ok := all[collection]
	if !ok {
		return nil, fmt.Errorf("there are no rules over %s", collection)
	}
	return env, nil
}

// fields tells CEL which fields the messages have. Values are maps ([Value]); so it makes none.
type fields struct {
	*types.Registry
	structs map[string]map[string]*types.Type
}

func newFields() (*fields, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	f := &fields{Registry: registry, structs: map[string]map[string]*types.Type{applied: appliedFields}}
	for _, object := range objects {
		f.add(object)
	}
	return f, nil
}

// add adds a message and all that it holds.
func (f *fields) add(md protoreflect.MessageDescriptor) {
	name := string(md.Name())
	if _, known := f.structs[name]; known {
		return
	}
	all := make(map[string]*types.Type, md.Fields().Len())
	f.structs[name] = all
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		all[string(fd.Name())] = typeOf(fd)
		if held := messageIn(fd); held != nil && !wellKnown(held) {
			f.add(held)
		}
	}
}

func messageIn(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if fd.IsMap() {
		return fd.MapValue().Message()
	}
	return fd.Message()
}

func structOf(md protoreflect.MessageDescriptor) *types.Type {
	return types.NewObjectType(string(md.Name()))
}

func wellKnown(md protoreflect.MessageDescriptor) bool {
	return md.FullName().Parent() == "google.protobuf"
}

// typeOf returns the type that a field has in a rule.
func typeOf(fd protoreflect.FieldDescriptor) *types.Type {
	switch {
	case fd.IsMap():
		return types.NewMapType(types.StringType, single(fd.MapValue()))
	case fd.IsList():
		return types.NewListType(single(fd))
	default:
		return single(fd)
	}
}

func single(fd protoreflect.FieldDescriptor) *types.Type {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return types.BoolType
	case protoreflect.StringKind, protoreflect.EnumKind:
		return types.StringType
	case protoreflect.BytesKind:
		return types.BytesType
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return types.DoubleType
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return ofMessage(fd.Message())
	default:
		return types.IntType
	}
}

func ofMessage(md protoreflect.MessageDescriptor) *types.Type {
	switch md.FullName() {
	case "google.protobuf.Duration":
		return types.DurationType
	case "google.protobuf.Timestamp":
		return types.TimestampType
	}
	if wellKnown(md) {
		return types.DynType
	}
	return structOf(md)
}

// FindStructType tells CEL that a message is a type.
func (f *fields) FindStructType(name string) (*types.Type, bool) {
	if _, ok := f.structs[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return f.Registry.FindStructType(name)
}

// FindStructFieldNames returns a message's fields.
func (f *fields) FindStructFieldNames(name string) ([]string, bool) {
	all, ok := f.structs[name]
	if !ok {
		return f.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(all))
	for field := range all {
		names = append(names, field)
	}
	return names, true
}

// FindStructFieldType returns a field's type, and how it is read: has() is true of what isn't empty.
func (f *fields) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	all, ok := f.structs[name]
	if !ok {
		return f.Registry.FindStructFieldType(name, field)
	}
	is, ok := all[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: is,
		IsSet: func(holder any) bool {
			value, there := member(holder, field)
			return there && !empty(value)
		},
		GetFrom: func(holder any) (any, error) {
			if value, there := member(holder, field); there {
				return value, nil
			}
			return nil, fmt.Errorf("%s is absent; ask has() first", field)
		},
	}, true
}

// NewValue makes nothing: a rule looks at what there is.
func (f *fields) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("a rule makes no %s", name)
}

func member(holder any, field string) (any, bool) {
	m, ok := holder.(map[string]any)
	if !ok {
		return nil, false
	}
	value, ok := m[field]
	return value, ok
}

func empty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return false // a message that is there
	case labels:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return reflect.ValueOf(value).IsZero()
	}
}
