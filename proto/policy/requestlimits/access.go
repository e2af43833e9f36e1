package requestlimits

import (
	"fmt"
	"slices"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says what a request may look like.
func access(config *policyv1.RequestLimits, _ policy.Names) []policy.Statement {
	var said []policy.Statement
	if methods := config.GetMethods(); len(methods) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "methods", Text: "Requests are " + policy.List(methods, "or", policy.Bare) + ".", Values: methods,
		})
	}
	for _, limit := range [...]struct {
		code, what string
		most       *uint64
	}{
		{"body_bytes", "bytes of body", config.MaxBodyBytes},
		{"header_bytes", "bytes of headers", wide(config.MaxHeaderBytes)},
		{"headers", "headers", wide(config.MaxHeaders)},
		{"target_bytes", "bytes of path and query", wide(config.MaxTargetBytes)},
		{"query_bytes", "bytes of query", wide(config.MaxQueryBytes)},
		{"query_parameters", "parameters in the query", wide(config.MaxQueryParameters)},
	} {
		if limit.most != nil {
			said = append(said, policy.Statement{Part: policy.Bound, Code: limit.code, Text: fmt.Sprintf("A request has at most %d %s.", *limit.most, limit.what)})
		}
	}
	if types := config.GetContentTypes(); len(types) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "content_types", Text: "A body is " + policy.List(types, "or", policy.Bare) + ".", Values: types,
		})
	}
	return said
}

func wide(most *uint32) *uint64 {
	if most == nil {
		return nil
	}
	n := uint64(*most)
	return &n
}

// admits tells whether a method is among those that are let pass.
func admits(config *policyv1.RequestLimits) func(policy.Caller) policy.Admission {
	return func(caller policy.Caller) policy.Admission {
		if methods := config.GetMethods(); len(methods) > 0 && !slices.Contains(methods, caller.Method) {
			return policy.Never
		}
		return policy.Admits
	}
}
