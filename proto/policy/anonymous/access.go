package anonymous

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says whom callers without a credential are taken for.
func access(config *policyv1.Anonymous, names policy.Names) []policy.Statement {
	consumer := config.GetConsumer()
	return []policy.Statement{{
		Part: policy.Open, Code: "anonymous", Text: fmt.Sprintf("Who shows no credential calls as %q.", names(consumer)), Values: []string{consumer},
	}}
}
