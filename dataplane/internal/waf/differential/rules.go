package differential

import (
	"fmt"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// Rules are a policy's, edited or as they are.
type Rules struct {
	*ruleset.Rules

	text string
}

// RulesAt returns the rules of a policy at a paranoia level that says nothing else.
func RulesAt(paranoia uint32) (Rules, error) {
	composed, err := ruleset.Compose(resource.Defaulted(&policyv1.Waf{ParanoiaLevel: &paranoia}))
	if err != nil {
		return Rules{}, fmt.Errorf("compose the rules of level %d: %w", paranoia, err)
	}
	return Rules{composed, composed.SecLang()}, nil
}

// SecLang returns the rules.
func (r Rules) SecLang() string { return r.text }

// Edited returns the rules with their text changed: what is compared with them.
func (r Rules) Edited(edit func(seclang string) string) Rules {
	r.text = edit(r.text)
	return r
}
