package cel

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/sallyport/sallyport/proto/expression"
)

// Variables of an expression.
const (
	Request  = "request"
	Consumer = "consumer" // fields are empty where nobody is known
	Claims   = "claims"   // of the caller's token; empty where there is none
	Client   = "client"
	Now      = "now"
	Route    = "route"
	Service  = "service"
)

// maxExpression is how many characters an expression has at most; the .proto says the same.
const maxExpression = expression.MaxText

// Types of the variables that are objects.
var (
	RequestType  = types.NewObjectType("Request")
	ConsumerType = types.NewObjectType("Consumer")
	ClientType   = types.NewObjectType("Client")
	RouteType    = types.NewObjectType("Route")
	ServiceType  = types.NewObjectType("Service")
)

var (
	texts     = types.NewMapType(types.StringType, types.StringType)
	textLists = types.NewMapType(types.StringType, types.NewListType(types.StringType))
)

// fields are those of the types.
var fields = map[string]map[string]*types.Type{
	"Request": {
		"method": types.StringType, "scheme": types.StringType, "host": types.StringType, "path": types.StringType,
		"query": texts, "query_values": textLists, "headers": texts, "header_values": textLists, "params": texts,
	},
	"Consumer": {
		"id": types.StringType, "name": types.StringType, "labels": texts, "metadata": texts, "scopes": types.NewListType(types.StringType),
	},
	"Client":  {"address": types.StringType},
	"Route":   {"id": types.StringType, "name": types.StringType},
	"Service": {"id": types.StringType, "name": types.StringType},
}

// Object is the value of a variable that has fields.
type Object interface {
	ref.Val
	// Field returns the value of one of the fields of its type.
	Field(name string) ref.Val
}

// Addressed is the value of client.
type Addressed interface {
	Address() netip.Addr
}

// environment is made once, when the first expression is compiled.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	inside := cel.BinaryBinding(within)
	return cel.NewEnv(
		cel.CustomTypeProvider(&provider{registry}),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(expression.MaxNesting),
		cel.Variable(Request, RequestType), cel.Variable(Consumer, ConsumerType), cel.Variable(Client, ClientType),
		cel.Variable(Claims, cel.MapType(cel.StringType, cel.DynType)), cel.Variable(Now, cel.TimestampType),
		cel.Variable(Route, RouteType), cel.Variable(Service, ServiceType),
		cel.Function(insideFunction,
			cel.MemberOverload("client_inside_range", []*cel.Type{ClientType, cel.StringType}, cel.BoolType, inside),
			cel.MemberOverload("client_inside_ranges", []*cel.Type{ClientType, cel.ListType(cel.StringType)}, cel.BoolType, inside)),
	)
})

// within tells whether the client's address is in a range, or in one of a list. Ranges were read when the expression was compiled.
func within(client, ranges ref.Val) ref.Val {
	who, ok := client.(Addressed)
	if !ok {
		return types.NewErr("%s isn't the client", client.Type().TypeName())
	}
	list, several := ranges.(traits.Lister)
	if !several {
		return inRange(who.Address(), ranges)
	}
	count, _ := list.Size().(types.Int)
	for i := range count {
		if held := inRange(who.Address(), list.Get(i)); held != types.False {
			return held
		}
	}
	return types.False
}

func inRange(address netip.Addr, text ref.Val) ref.Val {
	given, _ := text.(types.String)
	prefix, err := netip.ParsePrefix(string(given))
	if err != nil {
		return types.NewErr("no range")
	}
	return types.Bool(prefix.Contains(address))
}

// provider tells CEL which fields the types have.
type provider struct{ *types.Registry }

// FindStructType tells CEL that one of the types is a type.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := fields[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames returns a type's fields.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	all, ok := fields[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(all))
	for field := range all {
		names = append(names, field)
	}
	return names, true
}

// FindStructFieldType returns a field's type, and how it is read. No expression asks whether it is there.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	all, ok := fields[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	is, ok := all[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:  is,
		IsSet: func(any) bool { return true },
		GetFrom: func(holder any) (any, error) {
			object, ok := holder.(Object)
			if !ok {
				return nil, fmt.Errorf("%s is of no value", field)
			}
			return object.Field(field), nil
		},
	}, true
}

// NewValue makes nothing: an expression looks at what there is.
func (*provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("an expression makes no %s", name)
}

// Base is the part of an Object that is the same for all: they are compared with nothing and turned into nothing.
type Base struct{}

var errNative = errors.New("an object of a request is no value of Go")

// ConvertToNative implements ref.Val.
func (Base) ConvertToNative(reflect.Type) (any, error) { return nil, errNative }

// ConvertToType implements ref.Val.
func (Base) ConvertToType(ref.Type) ref.Val { return types.NewErr("no such overload") }

// Equal implements ref.Val.
func (Base) Equal(ref.Val) ref.Val { return types.NewErr("no such overload") }
