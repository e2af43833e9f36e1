package ratelimit

import (
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says the limit in the words of its effects.
func access(config *policyv1.RateLimit, _ policy.Names) []policy.Statement {
	return []policy.Statement{{Part: policy.Bound, Code: "rate_limit", Text: "At most " + text(config) + "."}}
}
