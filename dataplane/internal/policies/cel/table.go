package cel

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// source is where the entries of a map are.
type source interface {
	// find returns an entry; nil: there is none.
	find(name string) ref.Val
	// names returns those of all entries, each once.
	names() []string
}

// table is a map of CEL's that is read where its entries are. What asks for all of it at once, and not for an entry, makes a copy.
type table struct{ source }

var (
	_ traits.Mapper = (*table)(nil)
	_ traits.Lister = (*list)(nil)
)

// Find implements traits.Mapper.
func (t *table) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	v := t.find(string(name))
	return v, v != nil
}

// Get implements traits.Indexer.
func (t *table) Get(key ref.Val) ref.Val {
	v, found := t.Find(key)
	if !found && v == nil {
		return types.NewErr("no such key")
	}
	return v
}

// Contains implements traits.Container.
func (t *table) Contains(key ref.Val) ref.Val {
	v, found := t.Find(key)
	if !found && v != nil {
		return v
	}
	return types.Bool(found)
}

// Size implements traits.Sizer.
func (t *table) Size() ref.Val { return types.Int(len(t.names())) }

// Iterator implements traits.Iterable.
func (t *table) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, t.names()).Iterator()
}

// Type implements ref.Val.
func (t *table) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (t *table) Value() any { return t.whole().Value() }

// Equal implements ref.Val.
func (t *table) Equal(other ref.Val) ref.Val { return t.whole().Equal(other) }

// ConvertToType implements ref.Val.
func (t *table) ConvertToType(to ref.Type) ref.Val { return t.whole().ConvertToType(to) }

// ConvertToNative implements ref.Val.
func (t *table) ConvertToNative(to reflect.Type) (any, error) { return t.whole().ConvertToNative(to) }

func (t *table) whole() traits.Mapper {
	all := make(map[ref.Val]ref.Val)
	for _, name := range t.names() {
		all[types.String(name)] = t.find(name)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, all)
}

// items is where the entries of a list are.
type items interface {
	count() int
	at(i int) ref.Val
	has(v ref.Val) bool
}

// list is a list of CEL's that is read where its entries are.
type list struct{ items }

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val {
	i, err := types.IndexOrError(index)
	if err != nil {
		return types.WrapErr(err)
	}
	if i < 0 || i >= l.count() {
		return types.NewErr("index out of bounds")
	}
	return l.at(i)
}

// Contains implements traits.Container.
func (l *list) Contains(v ref.Val) ref.Val { return types.Bool(l.has(v)) }

// Size implements traits.Sizer.
func (l *list) Size() ref.Val { return types.Int(l.count()) }

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator { return l.whole().Iterator() }

// Add implements traits.Adder.
func (l *list) Add(other ref.Val) ref.Val { return l.whole().Add(other) }

// Type implements ref.Val.
func (l *list) Type() ref.Type { return types.ListType }

// Value implements ref.Val.
func (l *list) Value() any { return l.whole().Value() }

// Equal implements ref.Val.
func (l *list) Equal(other ref.Val) ref.Val { return l.whole().Equal(other) }

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(to ref.Type) ref.Val { return l.whole().ConvertToType(to) }

// ConvertToNative implements ref.Val.
func (l *list) ConvertToNative(to reflect.Type) (any, error) { return l.whole().ConvertToNative(to) }

func (l *list) whole() traits.Lister {
	all := make([]ref.Val, l.count())
	for i := range all {
		all[i] = l.at(i)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, all)
}
