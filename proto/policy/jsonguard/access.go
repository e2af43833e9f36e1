package jsonguard

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says what JSON may look like.
func access(config *policyv1.JsonGuard, _ policy.Names) []policy.Statement {
	said := []policy.Statement{{
		Part: policy.Bound, Code: "json",
		Text: fmt.Sprintf("JSON has at most %d bytes and %d values, and lies at most %d deep.", config.GetMaxBytes(), config.GetMaxValues(), config.GetMaxDepth()),
	}}
	if !config.GetAllowDuplicateKeys() {
		said = append(said, policy.Statement{Part: policy.Demand, Code: "json_keys", Text: "An object of JSON has no key twice."})
	}
	if config.GetRequireJson() {
		said = append(said, policy.Statement{Part: policy.Demand, Code: "json_only", Text: "A body is JSON."})
	}
	return said
}
