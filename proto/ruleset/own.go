package ruleset

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// Ids of rules. The Core Rule Set has 900000 to 999999 and the engine's setup 200000 to 200999; typed rules have [perRule] each from firstBefore and
// firstAfter on; raw SecLang has what is left for local use by convention.
const (
	firstBefore = 5_000_000
	firstAfter  = 5_100_000
	behindOwn   = 5_200_000
	perRule     = 16
	firstRaw    = 1
	lastRaw     = 99_999
)

// Own tells which of the policy's own typed rules an id is of.
func Own(id int) (behind bool, index int, ok bool) {
	switch {
	case firstBefore <= id && id < firstAfter:
		return false, (id - firstBefore) / perRule, true
	case firstAfter <= id && id < behindOwn:
		return true, (id - firstAfter) / perRule, true
	}
	return false, 0, false
}

// own writes typed rules in SecLang.
func (r *Rules) own(field string, rules []*policyv1.WafRule, first int) (string, error) {
	var text strings.Builder
	for i, rule := range rules {
		id := first + i*perRule
		lines, err := typed(rule, id)
		if err != nil {
			return "", fmt.Errorf("%s[%d]: %w", field, i, err)
		}
		text.WriteString(lines)
		if rule.GetAction() == policyv1.WafAction_WAF_ACTION_SCORE {
			r.scores[id] = score(rule)
		}
	}
	return text.String(), nil
}

// typed writes one rule: a chain of its conditions. What must not hold is looked for by a rule of its own in front, which leaves a mark: SecLang's own "!" asks
// whether any one value is different, and is never true of what isn't there.
func typed(rule *policyv1.WafRule, id int) (string, error) {
	if len(rule.GetConditions()) == 0 || len(rule.GetConditions()) >= perRule {
		return "", errors.New("conditions: needs one at least, and 15 at most")
	}
	phase := 1
	for _, condition := range rule.GetConditions() {
		if part, _, err := ParseTarget(condition.GetTarget()); err == nil && partOf(part).late {
			phase = 2
		}
	}
	var marks, chain strings.Builder
	last := len(rule.GetConditions()) - 1
	for i, condition := range rule.GetConditions() {
		test, transform, err := compared(condition)
		if err != nil {
			return "", fmt.Errorf("conditions[%d]: %w", i, err)
		}
		if condition.GetNot() {
			mark := fmt.Sprintf("sallyport_%d_%d", id, i)
			fmt.Fprintf(&marks, "SecRule %s \"id:%d,phase:%d,pass,nolog,%s,setvar:'tx.%s=1'\"\n", test, id+1+i, phase, transform, mark)
			test, transform = fmt.Sprintf(`&TX:%s "@eq 0"`, mark), "t:none"
		}
		var actions []string
		if i == 0 {
			actions = append(actions, fmt.Sprintf("id:%d,phase:%d,%s,msg:'%s',tag:'own',severity:'%s'",
				id, phase, disruption(rule), sentence(rule.GetMessage()), severity(rule)))
		}
		actions = append(actions, transform)
		if i == last && rule.GetAction() == policyv1.WafAction_WAF_ACTION_SCORE {
			actions = append(actions, fmt.Sprintf("setvar:'tx.inbound_anomaly_score_pl1=+%d'", score(rule)))
		}
		if i < last {
			actions = append(actions, "chain")
		}
		fmt.Fprintf(&chain, "SecRule %s \"%s\"\n", test, strings.Join(actions, ","))
	}
	return marks.String() + chain.String(), nil
}

// disruption is what follows from a rule, in SecLang.
func disruption(rule *policyv1.WafRule) string {
	switch rule.GetAction() {
	case policyv1.WafAction_WAF_ACTION_PASS:
		return "allow,log,noauditlog"
	case policyv1.WafAction_WAF_ACTION_SCORE, policyv1.WafAction_WAF_ACTION_NOTE:
		return "pass,log,noauditlog"
	default:
		return "deny,status:403,log,noauditlog"
	}
}

func severity(rule *policyv1.WafRule) string {
	switch rule.GetAction() {
	case policyv1.WafAction_WAF_ACTION_SCORE, policyv1.WafAction_WAF_ACTION_NOTE, policyv1.WafAction_WAF_ACTION_PASS:
		return "NOTICE"
	default:
		return "CRITICAL"
	}
}

// score is what a rule adds; the default where nothing is said.
func score(rule *policyv1.WafRule) int {
	if rule.Score == nil {
		return 5
	}
	return int(rule.GetScore())
}

// sentence makes a message one that SecLang can quote: what quotes, escapes or expands is written by characters that look the same.
func sentence(message string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\'':
			return '’'
		case c == '"':
			return '”'
		case c == '`':
			return '‘'
		case c == '\\':
			return '⧵'
		case c == '%':
			return '％'
		case c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029:
			return ' '
		}
		return c
	}, message)
}

// compared writes what a condition looks at and how, `REQUEST_METHOD "@rx …"`, and the transformations that go before it.
func compared(condition *policyv1.WafCondition) (test, transform string, _ error) {
	name, key, err := ParseTarget(condition.GetTarget())
	if err != nil {
		return "", "", fmt.Errorf("target: %w", err)
	}
	part := partOf(name)
	variables := part.compared
	if variables == nil {
		variables = part.variables
	}
	transform = "t:none"
	how, isLength := condition.GetCompare().(*policyv1.WafCondition_LongerThan)
	switch {
	case isLength && part.name == "body":
		return fmt.Sprintf(`REQUEST_BODY_LENGTH "@gt %d"`, how.LongerThan), transform, nil
	case isLength:
		transform += ",t:length"
	}
	operator, err := operator(condition, part)
	if err != nil {
		return "", "", err
	}
	return strings.Join(selected(variables, key), "|") + ` "` + operator + `"`, transform, nil
}

// operator writes how a condition compares.
func operator(condition *policyv1.WafCondition, part *part) (string, error) {
	fold := ""
	if condition.GetIgnoreCase() {
		fold = "(?i)"
	}
	switch how := condition.GetCompare().(type) {
	case *policyv1.WafCondition_Equals:
		return `@rx ` + fold + `\A(?:` + quotePattern(how.Equals) + `)\z`, nil
	case *policyv1.WafCondition_Contains:
		return `@rx ` + fold + `(?:` + quotePattern(how.Contains) + `)`, nil
	case *policyv1.WafCondition_BeginsWith:
		return `@rx ` + fold + `\A(?:` + quotePattern(how.BeginsWith) + `)`, nil
	case *policyv1.WafCondition_Matches:
		pattern, err := rewritePattern(how.Matches, condition.GetIgnoreCase())
		if err != nil {
			return "", fmt.Errorf("matches: %w", err)
		}
		return "@rx " + pattern, nil
	case *policyv1.WafCondition_LongerThan:
		return fmt.Sprintf("@gt %d", how.LongerThan), nil
	case *policyv1.WafCondition_Within:
		return inRanges(how.Within.GetRanges(), part)
	case *policyv1.WafCondition_SqlInjection:
		return "@detectSQLi", nil
	case *policyv1.WafCondition_CrossSiteScripting:
		return "@detectXSS", nil
	}
	return "", errors.New("says nothing to compare with")
}

func inRanges(ranges []string, part *part) (string, error) {
	if part.name != "address" {
		return "", errors.New(`within: ranges go with the target "address" alone`)
	}
	var all []string
	for i, text := range ranges {
		if err := ParseRange(text); err != nil {
			return "", fmt.Errorf("within: ranges[%d]: %w", i, err)
		}
		all = append(all, netip.MustParsePrefix(text).Masked().String())
	}
	slices.Sort(all)
	return "@ipMatch " + strings.Join(slices.Compact(all), ","), nil
}

// ParseRange refuses what isn't a range of addresses, such as one of IPv4 written as IPv6, which the engine would compare with the wrong kind.
func ParseRange(text string) error {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return errors.New("isn't a range in CIDR notation")
	case prefix.Addr().Is4In6():
		return errors.New("is a range of IPv4 written as IPv6; write it as IPv4")
	case prefix != prefix.Masked():
		return fmt.Errorf("has bits beyond its length; write %s", prefix.Masked())
	}
	return nil
}
