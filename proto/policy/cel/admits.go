package cel

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// admits returns what tells whether an expression is true of a caller: what only a request shows is unknown, and so is what depends on it.
func admits(config *policyv1.Cel) func(policy.Caller) policy.Admission {
	program, err := Compile(config.GetExpression())
	if err != nil {
		return func(policy.Caller) policy.Admission { return policy.Never } // such a policy isn't stored
	}
	return func(caller policy.Caller) policy.Admission {
		result, err := program.eval(known{caller})
		switch {
		case err == nil && types.IsUnknown(result):
			return policy.Depends
		case err == nil && result == types.True:
			return policy.Admits
		default:
			return policy.Never
		}
	}
}

// unknown is what only a request shows.
var unknown = types.NewUnknown(0, nil)

// known are the variables as far as the control plane knows them of a caller.
type known struct{ policy.Caller }

// ResolveName implements cel.Activation.
func (k known) ResolveName(name string) (any, bool) {
	switch name {
	case Consumer:
		return knownConsumer{caller: k.Caller}, true
	case Request:
		return knownRequest{method: k.Method}, true
	case Claims:
		if !k.Token {
			return map[string]string{}, true
		}
		return unknown, true
	case Client, Now, Route, Service:
		return unknown, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (known) Parent() cel.Activation { return nil }

type knownConsumer struct {
	Base
	caller policy.Caller
}

// Field implements Object.
func (k knownConsumer) Field(name string) ref.Val {
	switch name {
	case "id":
		return types.String(k.caller.Consumer)
	case "labels":
		return types.NewStringStringMap(types.DefaultTypeAdapter, k.caller.Labels)
	case "scopes":
		if !k.caller.Token {
			return types.NewStringList(types.DefaultTypeAdapter, k.caller.Scopes)
		}
	}
	return unknown
}

// Type implements ref.Val.
func (knownConsumer) Type() ref.Type { return ConsumerType }

// Value implements ref.Val.
func (k knownConsumer) Value() any { return k }

type knownRequest struct {
	Base
	method string
}

// Field implements Object.
func (k knownRequest) Field(name string) ref.Val {
	if name == "method" {
		return types.String(k.method)
	}
	return unknown
}

// Type implements ref.Val.
func (knownRequest) Type() ref.Type { return RequestType }

// Value implements ref.Val.
func (k knownRequest) Value() any { return k }
