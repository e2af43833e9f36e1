package waf

import (
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// effects says what callers and services notice of a change: what is refused that wasn't, and what passes that didn't.
func effects(before, after *policyv1.Waf) []policy.Effect {
	const inspects, stops = "requests_inspected", "requests_uninspected"
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return append([]policy.Effect{{
			Code: inspects, Opposite: stops, Severity: policy.Attention, Text: fmt.Sprintf(
				"requests are inspected at paranoia level %d, and refused from a score of %d on", after.GetParanoiaLevel(), after.GetInboundThreshold()),
		}}, opened(&policyv1.Waf{}, after)...)
	case after == nil:
		return []policy.Effect{{Code: stops, Opposite: inspects, Severity: policy.Danger, Text: "requests are no longer inspected for attacks"}}
	}
	return slices.Concat(levels(before, after), bodies(before, after), answers(before, after), opened(before, after), rest(before, after))
}

// levels says what becomes of how strictly all is judged.
func levels(before, after *policyv1.Waf) []policy.Effect {
	var all []policy.Effect
	for _, number := range []struct {
		stricter, laxer, what string
		was, is               uint32
		strictUp              bool // a greater number is stricter
	}{
		{"paranoia_raised", "paranoia_lowered", "requests are inspected at paranoia level %d, not %d", before.GetParanoiaLevel(), after.GetParanoiaLevel(), true},
		{"inbound_threshold_lowered", "inbound_threshold_raised", "requests are refused from a score of %d on, not %d", before.GetInboundThreshold(), after.GetInboundThreshold(), false},
		{"outbound_threshold_lowered", "outbound_threshold_raised", "answers are withheld from a score of %d on, not %d", before.GetOutboundThreshold(), after.GetOutboundThreshold(), false},
	} {
		text := fmt.Sprintf(number.what, number.is, number.was)
		switch up := number.is > number.was; {
		case number.is == number.was:
		case up == number.strictUp:
			all = append(all, policy.Effect{Code: number.stricter, Opposite: number.laxer, Severity: policy.Attention, Text: text})
		default:
			all = append(all, policy.Effect{Code: number.laxer, Opposite: number.stricter, Severity: policy.Danger, Text: text})
		}
	}
	return all
}

// bodies says which bodies are inspected that weren't, and the other way round.
func bodies(before, after *policyv1.Waf) []policy.Effect {
	const inspected, ignored = "bodies_inspected", "bodies_uninspected"
	was, is := before.GetRequestBody(), after.GetRequestBody()
	switch {
	case was.GetIgnore() && !is.GetIgnore():
		return []policy.Effect{{Code: inspected, Opposite: ignored, Severity: policy.Attention, Text: "bodies of requests are inspected"}}
	case !was.GetIgnore() && is.GetIgnore():
		return []policy.Effect{{Code: ignored, Opposite: inspected, Severity: policy.Danger, Text: "bodies of requests are no longer inspected"}}
	case is.GetIgnore():
		return nil
	}
	passes := func(body *policyv1.WafBody) bool { return body.GetBeyond() == policyv1.WafBeyond_WAF_BEYOND_PASS }
	const refused, passing = "large_bodies_refused", "large_bodies_pass"
	text := "bodies of more than " + size(mostBytes(is))
	var all []policy.Effect
	switch {
	case !passes(was) && passes(is):
		all = append(all, policy.Effect{Code: passing, Opposite: refused, Severity: policy.Danger, Text: text + " pass without being inspected"})
	case passes(was) && !passes(is):
		all = append(all, policy.Effect{Code: refused, Opposite: passing, Severity: policy.Attention, Text: text + " are refused"})
	case mostBytes(is) != mostBytes(was) && passes(is):
		all = append(all, policy.Effect{Code: "body_limit_changed", Severity: policy.Attention, Text: text + " pass without being inspected; it was " + size(mostBytes(was))})
	case mostBytes(is) != mostBytes(was):
		all = append(all, policy.Effect{Code: "body_limit_changed", Severity: policy.Attention, Text: text + " are refused; it was " + size(mostBytes(was))})
	}
	return all
}

// answers says which answers are inspected that weren't, and the other way round.
func answers(before, after *policyv1.Waf) []policy.Effect {
	const inspected, ignored = "answers_inspected", "answers_uninspected"
	const held, streamed = "answer_bodies_inspected", "answer_bodies_uninspected"
	was, is := before.GetAnswers(), after.GetAnswers()
	switch {
	case was == nil && is != nil:
		return []policy.Effect{{Code: inspected, Opposite: ignored, Severity: policy.Attention, Text: "answers are inspected, and withheld where they score too much"}}
	case was != nil && is == nil:
		return []policy.Effect{{Code: ignored, Opposite: inspected, Severity: policy.Danger, Text: "answers are no longer inspected"}}
	case !was.GetBodies() && is.GetBodies():
		return []policy.Effect{{Code: held, Opposite: streamed, Severity: policy.Attention, Text: "bodies of answers are inspected, and begin once they are there whole"}}
	case was.GetBodies() && !is.GetBodies():
		return []policy.Effect{{Code: streamed, Opposite: held, Severity: policy.Danger, Text: "bodies of answers are no longer inspected"}}
	case !proto.Equal(was, is):
		return []policy.Effect{{Code: "answers_changed", Severity: policy.Attention, Text: "other answers are inspected than before"}}
	}
	return nil
}

// opened says which exceptions and rules come and go.
func opened(before, after *policyv1.Waf) []policy.Effect {
	var all []policy.Effect
	const excepted, ended = "exception_added", "exception_removed"
	for _, e := range without(after.GetExceptions(), before.GetExceptions()) {
		all = append(all, policy.Effect{Code: excepted, Opposite: ended, Severity: policy.Danger, Text: exceptionText(e)})
	}
	for _, e := range without(before.GetExceptions(), after.GetExceptions()) {
		all = append(all, policy.Effect{Code: ended, Opposite: excepted, Severity: policy.Attention, Text: "no longer holds: " + exceptionText(e)})
	}
	own := func(config *policyv1.Waf) []*policyv1.WafRule {
		return slices.Concat(config.GetRulesBefore(), config.GetRulesAfter())
	}
	const added, dropped = "rule_added", "rule_removed"
	for _, rule := range without(own(after), own(before)) {
		all = append(all, policy.Effect{Code: added, Opposite: dropped, Severity: severity(rule, true), Text: ruleText(rule)})
	}
	for _, rule := range without(own(before), own(after)) {
		all = append(all, policy.Effect{Code: dropped, Opposite: added, Severity: severity(rule, false), Text: "no longer: " + ruleText(rule)})
	}
	if before.GetSeclangBefore() != after.GetSeclangBefore() || before.GetSeclangAfter() != after.GetSeclangAfter() {
		all = append(all, policy.Effect{Code: "raw_rules_changed", Severity: policy.Danger, Text: "raw rules are others than before: they may refuse and let pass anything"})
	}
	return all
}

// rest says what else changes.
func rest(before, after *policyv1.Waf) []policy.Effect {
	var all []policy.Effect
	if !proto.Equal(before.GetProtocol(), after.GetProtocol()) {
		all = append(all, policy.Effect{Code: "protocol_changed", Severity: policy.Attention, Text: "other methods, content types or numbers of arguments are taken for usual"})
	}
	if !proto.Equal(before.GetBudget(), after.GetBudget()) {
		all = append(all, policy.Effect{Code: "budget_changed", Severity: policy.Attention, Text: "what inspecting a caller's requests may cost is bounded otherwise"})
	}
	const kept, unkept = "samples_kept", "samples_dropped"
	switch was, is := before.GetSamples() != nil, after.GetSamples() != nil; {
	case is && !was:
		all = append(all, policy.Effect{Code: kept, Opposite: unkept, Severity: policy.Attention, Text: "nodes keep samples of inspected requests, sealed, in memory"})
	case was && !is:
		all = append(all, policy.Effect{Code: unkept, Opposite: kept, Severity: policy.Info, Text: "nodes keep no samples of inspected requests"})
	}
	return all
}

// severity is what it means that a rule comes, or goes.
func severity(rule *policyv1.WafRule, comes bool) policy.Severity {
	passes := rule.GetAction() == policyv1.WafAction_WAF_ACTION_PASS
	switch {
	case rule.GetAction() == policyv1.WafAction_WAF_ACTION_NOTE:
		return policy.Info
	case passes == comes: // it opens: one that lets pass comes, or one that refuses goes
		return policy.Danger
	}
	return policy.Attention
}

func exceptionText(e *policyv1.WafException) string {
	var which string
	switch rules, tags := e.GetRules(), e.GetTags(); {
	case len(tags) == 0:
		which = "rules " + policy.List(rules, "and", policy.Bare)
	case len(rules) == 0:
		which = "rules tagged " + policy.List(tags, "or", strconv.Quote)
	default:
		which = "rules " + policy.List(rules, "and", policy.Bare) + " that are tagged " + policy.List(tags, "or", strconv.Quote)
	}
	text := which + " don't run"
	if targets := e.GetTargets(); len(targets) > 0 {
		text = which + " don't look at " + policy.List(targets, "and", strconv.Quote)
	}
	if paths := e.GetPaths(); len(paths) > 0 {
		text += " of requests for " + policy.List(paths, "or", strconv.Quote)
	}
	return text
}

func ruleText(rule *policyv1.WafRule) string {
	verb := "requests are refused at once"
	switch rule.GetAction() {
	case policyv1.WafAction_WAF_ACTION_SCORE:
		verb = fmt.Sprintf("requests score %d", rule.GetScore())
	case policyv1.WafAction_WAF_ACTION_NOTE:
		verb = "requests are told of"
	case policyv1.WafAction_WAF_ACTION_PASS:
		verb = "requests pass with nothing else looked at"
	}
	return fmt.Sprintf("%s by the rule %q", verb, rule.GetMessage())
}

// without returns the messages that the others don't have.
func without[M proto.Message](these, others []M) []M {
	return slices.DeleteFunc(slices.Clone(these), func(m M) bool {
		return slices.ContainsFunc(others, func(other M) bool { return proto.Equal(m, other) })
	})
}
