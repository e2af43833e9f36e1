// Package cel enforces the kind "cel": an expression that must be true of a request.
//
// It owns the values of an expression's variables: views on the exchange and its caller, made anew for nobody and read when an expression
// looks at them. Headers, parameters, scopes and claims aren't copied into maps or lists of CEL's. It doesn't own the language, its
// variables and its bounds, which are the contract's (proto/policy/cel).
//
// An expression that can't be told, because a claim isn't there or two values don't compare, isn't true: the request is refused like one of
// which it is false. The trace says which of the two it was, in words that hold nothing of the request.
package cel
