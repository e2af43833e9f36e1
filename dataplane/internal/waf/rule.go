package waf

import (
	"regexp"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"github.com/sallyport/sallyport/proto/ruleset"
)

// rule is what findings say of a rule.
type rule struct {
	// message without what it would quote of a request; "": it finds nothing, but keeps the books.
	message string
	tags    []string
	// score that it adds where it finds something.
	score int
	// whole says that what it captures is no part of the request.
	whole bool
}

// Scores by severity, as the Core Rule Set's setup has them.
const (
	criticalScore = 5
	errorScore    = 4
	warningScore  = 3
	noticeScore   = 2
)

// ruleOf keeps what findings say of a rule as it was loaded.
func ruleOf(r types.RuleMetadata, rules source) rule {
	return rule{
		message: messageOf(r), tags: r.Tags(), score: scoreOf(r, rules.Score(r.ID())),
		whole: strings.Contains(r.Operator(), "detectSQLi") || strings.Contains(r.Operator(), "detectXSS"), // they capture a fingerprint
	}
}

// quoted finds the message in a rule's text, and expanded what is filled in from the request when it matches: that isn't told.
var (
	quoted   = regexp.MustCompile(`msg:'((?:[^'\\]|\\.)*)'`)
	expanded = regexp.MustCompile(` ?\(?%\{[^}]*\}\)?`)
)

func messageOf(r types.RuleMetadata) string {
	if ruleset.Bookkeeping(r.ID()) {
		return ""
	}
	found := quoted.FindStringSubmatch(r.Raw())
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(expanded.ReplaceAllString(found[1], ""), `\'`, "'")
}

// scoreOf is what a rule adds: what the policy says, else by its severity.
func scoreOf(r types.RuleMetadata, own int) int {
	if own > 0 {
		return own
	}
	switch s := r.Severity(); {
	case s == types.RuleSeverityUnset:
		return 0
	case s <= types.RuleSeverityCritical:
		return criticalScore
	case s == types.RuleSeverityError:
		return errorScore
	case s == types.RuleSeverityWarning:
		return warningScore
	case s == types.RuleSeverityNotice:
		return noticeScore
	default:
		return 0
	}
}
