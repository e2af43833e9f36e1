package exclusions

import (
	"errors"
	"fmt"
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/ruleset"
)

var errNoRules = errors.New("of: no rule that this build knows has the tag")

// New compiles an exclusion. Its defaults are filled in.
func New(self id.ID, m *configv1.WafExclusion) (*Exclusion, error) {
	route, err := id.Parse(id.Route, m.GetRoute())
	if err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	part, name, err := ruleset.ParseTarget(m.GetTarget())
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	rules := []int{int(m.GetRule())}
	if tag := m.GetTag(); tag != "" {
		rules = rulesOf(tag)
	}
	if len(rules) == 0 || rules[0] == 0 {
		return nil, errNoRules
	}
	return &Exclusion{
		ID: self, Route: route, Skip: Skip{Rules: rules, Target: Target{Part: part, Name: name}},
		Enforced: m.GetMode() == configv1.WafExclusionMode_WAF_EXCLUSION_MODE_ENFORCE, Ends: m.GetExpiresAt().AsTime(),
	}, nil
}

// rulesOf returns the rules that have a tag, sorted, but for those that only keep the books.
func rulesOf(tag string) []int {
	var rules []int
	for _, r := range ruleset.Known() {
		if !r.Bookkeeping && slices.Contains(r.Tags, tag) {
			rules = append(rules, r.ID)
		}
	}
	return rules
}
