package waf

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/mediatype"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/ruleset"
	validator "github.com/sallyport/sallyport/proto/validate"
)

// validate finds what the field rules can't say. What they tell of already isn't told again.
func validate(config *policyv1.Waf) []problem.Violation {
	var all []problem.Violation
	for i, exception := range config.GetExceptions() {
		all = append(all, problem.Prefix(checkException(exception), problem.Pointer("exceptions", i))...)
	}
	all = append(all, checkRules("rules_before", config.GetRulesBefore())...)
	all = append(all, checkRules("rules_after", config.GetRulesAfter())...)
	if cost := patterns(config.GetRulesBefore()) + patterns(config.GetRulesAfter()); cost > ruleset.MaxPatterns {
		all = append(all, problem.Violation{
			Pointer: "/rules_before", Code: problem.ViolationTooMany, Allowed: fmt.Sprintf("about %d states", ruleset.MaxPatterns),
			Detail: fmt.Sprintf("the regular expressions of all rules cost too much together, about %d states; have fewer, or repeat less", cost),
		})
	}
	for i, text := range config.GetAnswers().GetContentTypes() {
		if _, err := mediatype.ParsePattern(text); err != nil {
			all = append(all, invalid(problem.Pointer("answers", "content_types", i), text, err))
		}
	}
	all = append(all, checkRaw(config)...)
	if len(all) > 0 {
		return all
	}
	// What the checks above overlooked would stand in the way of every node. What breaks the field rules is told of by those.
	if _, err := ruleset.Compose(config); err != nil && len(validator.Message(config)) == 0 {
		all = append(all, problem.Violation{Code: problem.ViolationInvalidValue, Detail: err.Error()})
	}
	return all
}

// ruleForm and tagForm are those of the fields' own rules.
var (
	ruleForm = regexp.MustCompile(`^[0-9]{1,9}(-[0-9]{1,9})?$`)
	tagForm  = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,64}$`)
)

func checkException(exception *policyv1.WafException) []problem.Violation {
	var all []problem.Violation
	sound := true
	for i, text := range exception.GetRules() {
		if !ruleForm.MatchString(text) {
			sound = false
			continue
		}
		if _, err := ruleset.SelectRules(text); err != nil {
			all, sound = append(all, invalid(problem.Pointer("rules", i), text, err)), false
		}
	}
	for i, tag := range exception.GetTags() {
		if !tagForm.MatchString(tag) {
			sound = false
			continue
		}
		if len(ruleset.SelectTag(tag)) == 0 {
			err := errors.New("no rule of the Core Rule Set that finds anything has this tag")
			all, sound = append(all, invalid(problem.Pointer("tags", i), tag, err)), false
		}
	}
	if sound {
		all = append(all, checkMeant(exception)...)
	}
	for i, text := range exception.GetTargets() {
		if text == "" {
			continue
		}
		part, _, err := ruleset.ParseTarget(text)
		if err == nil && !ruleset.Excludable(part) {
			err = fmt.Errorf("rules can't be kept from %q; it is for conditions", part)
		}
		if err != nil {
			all = append(all, invalid(problem.Pointer("targets", i), text, err))
		}
	}
	for i, text := range exception.GetPaths() {
		if err := checkPath(text); err != nil {
			all = append(all, problem.Violation{
				Pointer: problem.Pointer("paths", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text), Detail: err.Error(),
				Allowed: `a canonical path, or a beginning of one and "*"`,
			})
		}
	}
	return all
}

// checkMeant tells whether an exception means any rules at all.
func checkMeant(exception *policyv1.WafException) []problem.Violation {
	if len(exception.GetRules()) == 0 && len(exception.GetTags()) == 0 {
		return []problem.Violation{{Code: problem.ViolationRequired, Allowed: "rules, tags", Detail: "must name rules, by number or by tag"}}
	}
	if _, err := ruleset.Select(exception.GetRules(), exception.GetTags()); err != nil {
		return []problem.Violation{{
			Pointer: "/tags", Code: problem.ViolationInvalidValue, Given: form.Given(strings.Join(exception.GetTags(), ", ")),
			Detail: "none of the rules that are named has one of these tags; name one or the other",
		}}
	}
	return nil
}

// checkPath refuses a path that no request has, since each is brought into its canonical form first.
func checkPath(text string) error {
	prefix, _ := strings.CutSuffix(text, "*")
	if !strings.HasPrefix(text, "/") {
		return nil // told of by the field's own rule
	}
	if strings.Contains(prefix, "*") {
		return errors.New(`"*" stands at the end alone`)
	}
	canonical, err := path.Form{EncodedSlashes: true}.Canonical(prefix)
	switch {
	case err != nil:
		return fmt.Errorf("no request has this path: %w", err)
	case canonical != prefix:
		return fmt.Errorf("is written %q in its canonical form", canonical)
	}
	return nil
}

func checkRules(field string, rules []*policyv1.WafRule) []problem.Violation {
	var all []problem.Violation
	for i, rule := range rules {
		for j, condition := range rule.GetConditions() {
			all = append(all, problem.Prefix(checkCondition(condition), problem.Pointer(field, i, "conditions", j))...)
		}
	}
	return all
}

func checkCondition(condition *policyv1.WafCondition) []problem.Violation {
	var all []problem.Violation
	part, _, err := ruleset.ParseTarget(condition.GetTarget())
	if err != nil && condition.GetTarget() != "" {
		all = append(all, invalid("/target", condition.GetTarget(), err))
	}
	switch how := condition.GetCompare().(type) {
	case *policyv1.WafCondition_Matches:
		if _, err := ruleset.PatternCost(how.Matches); err != nil {
			all = append(all, invalid("/matches", how.Matches, err))
		}
	case *policyv1.WafCondition_Within:
		if err == nil && part != "address" {
			all = append(all, problem.Violation{
				Pointer: "/within", Code: problem.ViolationMutuallyExcluded, Given: form.Given(condition.GetTarget()), Allowed: `the target "address"`,
				Detail: "addresses are compared with ranges, and nothing else is",
			})
		}
		for i, text := range how.Within.GetRanges() {
			if err := ruleset.ParseRange(text); err != nil {
				all = append(all, problem.Violation{
					Pointer: problem.Pointer("within", "ranges", i), Code: problem.ViolationInvalidFormat, Given: form.Given(text), Detail: err.Error(),
					Allowed: "a range in CIDR notation: 192.0.2.0/24, 2001:db8::/32",
				})
			}
		}
	}
	return all
}

// patterns is what the regular expressions of rules cost together.
func patterns(rules []*policyv1.WafRule) (cost int) {
	for _, rule := range rules {
		for _, condition := range rule.GetConditions() {
			if one, err := ruleset.PatternCost(condition.GetMatches()); err == nil {
				cost += one
			}
		}
	}
	return cost
}

func invalid(pointer, given string, err error) problem.Violation {
	return problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Given: form.Given(given), Detail: err.Error()}
}
