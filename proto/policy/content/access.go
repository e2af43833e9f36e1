package content

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says what a body may be.
func access(config *policyv1.Content, _ policy.Names) []policy.Statement {
	said := []policy.Statement{
		{Part: policy.Bound, Code: "content_bytes", Text: fmt.Sprintf("A body has at most %d bytes, its content coding undone.", config.GetMaxBytes())},
		{Part: policy.Demand, Code: "content", Text: "A body is what its Content-Type says."},
	}
	if types := config.GetTypes(); len(types) > 0 {
		said = append(said, policy.Statement{
			Part: policy.Demand, Code: "content_types", Text: "A body is " + policy.List(types, "or", policy.Bare) + ".", Values: types,
		})
	}
	return said
}
