package waf

import (
	"strings"

	"github.com/corazawaf/coraza/v3/types"
)

const (
	// maxFindings bounds what one decision tells of; scores count all the same.
	maxFindings = 256
	// maxPart is what is kept of what matched, before it is masked.
	maxPart = 256
)

// findings are those of rules that matched since it was asked last.
func (in *inspection) findings(stop *types.Interruption) []Finding {
	matched := in.tx.MatchedRules()
	var found []Finding
	for _, rule := range matched[in.told:] {
		if len(found) < maxFindings {
			found = in.append(found, rule, stop != nil && stop.RuleID == rule.Rule().ID())
		}
	}
	in.told = len(matched)
	return found[:min(len(found), maxFindings)]
}

// append adds a finding for each place where the last of a rule's conditions held: its actions are done once for each, and so are its scores added.
func (in *inspection) append(found []Finding, matched types.MatchedRule, denied bool) []Finding {
	id := matched.Rule().ID()
	rule := in.engine.rules[id]
	if rule.message == "" {
		return found
	}
	if denied {
		rule.score = 0 // it refuses instead
	}
	data := matched.MatchedDatas()
	last := 0
	for _, d := range data {
		last = max(last, d.ChainLevel())
	}
	for _, d := range data {
		if d.ChainLevel() != last {
			continue
		}
		at, target := place(d, data)
		found = append(found, Finding{Rule: id, Message: rule.message, Tags: rule.tags, Target: target, Part: part(at, rule.whole), Score: rule.score})
	}
	return found
}

// place is where a rule found something: where its last condition held, or, if that is no place in the request, the condition before it that has one.
func place(last types.MatchData, all []types.MatchData) (types.MatchData, Target) {
	if t := targetOf(last.Variable().Name(), last.Key()); t.Part != "" {
		return last, t
	}
	for i := len(all) - 1; i >= 0; i-- {
		if t := targetOf(all[i].Variable().Name(), all[i].Key()); t.Part != "" {
			return all[i], t
		}
	}
	return last, Target{}
}

// part is what matched: what the rule says that it captured, else the whole value.
func part(d types.MatchData, whole bool) string {
	value := d.Value()
	if _, rest, ok := strings.Cut(d.Data(), "Matched Data: "); ok && !whole {
		if captured, _, ok := strings.Cut(rest, " found within "); ok && captured != "" && strings.Contains(value, captured) {
			value = captured
		}
	}
	if len(value) > maxPart {
		value = value[:maxPart]
	}
	return strings.Clone(value)
}
