package cors

import (
	"slices"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// access says which pages may call from a browser.
func access(config *policyv1.Cors, _ policy.Names) []policy.Statement {
	origins := config.GetOrigins()
	text := "In browsers, pages of " + policy.List(origins, "or", policy.Bare) + " may call it."
	if slices.Contains(origins, "*") {
		text = "In browsers, pages of any origin may call it."
	}
	return []policy.Statement{{Part: policy.Note, Code: "origins", Text: text, Values: origins}}
}
