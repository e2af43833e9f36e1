package resource

import (
	"slices"
	"strconv"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// Numbers of the Core Rule Set's rules. Rules of one's own have others.
const firstCoreRule, lastCoreRule = 900000, 999999

// maxTarget is how long a target may be; longer ones are told of by their field's rule, and not read.
const maxTarget = 256

// checkWafExclusion checks that there are such rules, and that they can be kept from such a target. That it ends in time takes a clock to know: who
// writes it is told then.
func checkWafExclusion(m *configv1.WafExclusion) []problem.Violation {
	var violations []problem.Violation
	invalid := func(pointer, given, detail, allowed string) {
		violations = append(violations, problem.Violation{
			Pointer: pointer, Code: problem.ViolationInvalidValue, Given: form.Given(given), Detail: detail, Allowed: allowed,
		})
	}
	switch of := m.GetOf().(type) {
	case *configv1.WafExclusion_Rule:
		if detail := checkExcludedRule(int(of.Rule)); detail != "" {
			invalid("/rule", strconv.FormatUint(uint64(of.Rule), 10), detail, "the number of a rule that finds something, as a finding names it: 942100")
		}
	case *configv1.WafExclusion_Tag:
		if of.Tag != "" && !slices.ContainsFunc(ruleset.Known(), func(r ruleset.Rule) bool { return !r.Bookkeeping && slices.Contains(r.Tags, of.Tag) }) {
			invalid("/tag", of.Tag, "no rule of the Core Rule Set has this tag", `"attack-sqli", "attack-xss", "OWASP_CRS/ATTACK-SQLI"`)
		}
	}
	target := m.GetTarget()
	if target == "" || len(target) > maxTarget {
		return violations // told of by their rules
	}
	switch part, _, err := ruleset.ParseTarget(target); {
	case err != nil:
		invalid("/target", target, err.Error(), `"argument:comment", "cookie:session", "header:X-Query", "body", "path"`)
	case !ruleset.Excludable(part):
		invalid("/target", target, "rules find nothing there that could be kept from them", strings.Join(excludable(), ", "))
	}
	return violations
}

// checkExcludedRule returns what is wrong with a rule's number; "": nothing. A number that isn't the Core Rule Set's is taken for a rule of one's own.
func checkExcludedRule(number int) string {
	if number < firstCoreRule || number > lastCoreRule {
		return ""
	}
	for _, r := range ruleset.Known() {
		if r.ID != number {
			continue
		}
		if r.Bookkeeping {
			return "the rule keeps the score, and finds nothing by itself"
		}
		return ""
	}
	return "the Core Rule Set has no rule of this number"
}

// excludable are the parts that rules can be kept from.
func excludable() []string {
	return slices.DeleteFunc(ruleset.PartNames(), func(part string) bool { return !ruleset.Excludable(part) })
}
