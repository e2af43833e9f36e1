package ruleset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// Exception keeps rules from something, request by request.
type Exception struct {
	// Paths that it holds for, canonical: exact, or a prefix that ends in "*"; none: all.
	Paths []string
	// Rules by id, sorted; those that must go with them are among them.
	Rules []int
	// Targets that they don't look at; none: they don't run.
	Targets []Target
}

// Target is a part of a request: see [ParseTarget].
type Target struct{ Part, Name string }

// Holds tells whether the exception holds for a canonical path.
func (e *Exception) Holds(path string) bool {
	return len(e.Paths) == 0 || slices.ContainsFunc(e.Paths, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return path == pattern || open && strings.HasPrefix(path, prefix)
	})
}

// changes are what is taken from the Core Rule Set's rules for all requests.
type changes struct {
	targets map[int][]string // by rule: variables, "!ARGS:comment"
	removed []int
}

// target keeps a rule from variables, or adds some to it.
func (c *changes) target(rule int, variables ...string) {
	if c.targets == nil {
		c.targets = map[int][]string{}
	}
	c.targets[rule] = append(c.targets[rule], variables...)
}

// String writes them in SecLang, in one order. Targets come first, since a rule that is gone has none.
func (c *changes) String() string {
	removed := slices.Clone(c.removed)
	slices.Sort(removed)
	var text strings.Builder
	for _, rule := range known() {
		if _, gone := slices.BinarySearch(removed, rule.ID); gone {
			continue
		}
		variables := slices.Sorted(slices.Values(c.targets[rule.ID]))
		for _, variable := range looksAt()[rule.ID].filled(slices.Compact(variables)) {
			fmt.Fprintf(&text, "SecRuleUpdateTargetById %d \"%s\"\n", rule.ID, variable)
		}
	}
	for _, id := range slices.Compact(removed) {
		fmt.Fprintf(&text, "SecRuleRemoveById %d\n", id)
	}
	return text.String()
}

// except sorts exceptions: those that hold everywhere become changes, those that hold on some paths are returned. Returned are those as well that are about
// what a link of a chain behind its first looks at: what is taken from a rule for all requests, engines take from its first link alone.
func except(exceptions []*policyv1.WafException, changes *changes) ([]Exception, error) {
	var conditional []Exception
	for i, given := range exceptions {
		exception, err := exceptionOf(given)
		switch {
		case err != nil:
			return nil, fmt.Errorf("exceptions[%d]: %w", i, err)
		case len(exception.Paths) > 0:
			conditional = append(conditional, exception)
		case len(exception.Targets) == 0:
			changes.removed = append(changes.removed, exception.Rules...)
		default:
			negated := exception.negated()
			var chained []int
			for _, id := range exception.Rules {
				changes.target(id, negated...)
				if looksAt()[id].looksLater(negated) {
					chained = append(chained, id)
				}
			}
			if len(chained) > 0 {
				conditional = append(conditional, Exception{Rules: chained, Targets: exception.Targets})
			}
		}
	}
	return conditional, nil
}

// negated are the variables of the exception's targets, as SecLang takes them from a rule.
func (e *Exception) negated() []string {
	var all []string
	for _, target := range e.Targets {
		for _, variable := range Variables(target.Part, target.Name) {
			all = append(all, "!"+variable)
		}
	}
	return all
}

func exceptionOf(given *policyv1.WafException) (Exception, error) {
	ids, err := Select(given.GetRules(), given.GetTags())
	if err != nil {
		return Exception{}, err
	}
	exception := Exception{Paths: given.GetPaths()}
	for _, text := range given.GetTargets() {
		part, name, err := ParseTarget(text)
		if err == nil && !Excludable(part) {
			err = fmt.Errorf("rules can't be kept from %q", part)
		}
		if err != nil {
			return Exception{}, fmt.Errorf("target %q: %w", text, err)
		}
		exception.Targets = append(exception.Targets, Target{part, name})
	}
	if len(exception.Targets) == 0 {
		ids = WithFollowers(ids)
	}
	exception.Rules = ids
	return exception, nil
}

// Select returns the Core Rule Set's rules that are meant by ids, ranges of ids ("942100-942199") and tags, sorted; where both are given, those that are in
// both. Rules that only keep the books are never among them. An error says what means none.
func Select(rules, tags []string) ([]int, error) {
	byID, byTag := map[int]bool{}, map[int]bool{}
	for _, text := range rules {
		ids, err := SelectRules(text)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			byID[id] = true
		}
	}
	for _, tag := range tags {
		ids := SelectTag(tag)
		if len(ids) == 0 {
			return nil, fmt.Errorf("no rule has the tag %q", tag)
		}
		for _, id := range ids {
			byTag[id] = true
		}
	}
	switch {
	case len(rules) == 0 && len(tags) == 0:
		return nil, errors.New("neither rules nor tags are given")
	case len(rules) == 0:
		byID = byTag
	case len(tags) > 0:
		maps.DeleteFunc(byID, func(id int, _ bool) bool { return !byTag[id] })
	}
	if len(byID) == 0 {
		return nil, errors.New("none of the rules has one of the tags")
	}
	return slices.Sorted(maps.Keys(byID)), nil
}

// SelectRules returns the rules that an id or a range of ids means.
func SelectRules(text string) ([]int, error) {
	from, to, isRange := strings.Cut(text, "-")
	first, err := strconv.Atoi(from)
	if err != nil {
		return nil, fmt.Errorf("%q is no number of a rule", text)
	}
	if !isRange {
		rule, found := knownRule(first)
		switch {
		case !found:
			return nil, fmt.Errorf("there is no rule %d in the Core Rule Set", first)
		case rule.Bookkeeping:
			return nil, fmt.Errorf("rule %d finds nothing: it only keeps the score, and the others need it", first)
		}
		return []int{first}, nil
	}
	last, err := strconv.Atoi(to)
	if err != nil || last < first {
		return nil, fmt.Errorf("%q is no range of rules: it ends before it begins", text)
	}
	var ids []int
	for _, rule := range known() {
		if first <= rule.ID && rule.ID <= last && !rule.Bookkeeping {
			ids = append(ids, rule.ID)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is no rule from %d to %d in the Core Rule Set that finds anything", first, last)
	}
	return ids, nil
}

// SelectTag returns the rules with a tag.
func SelectTag(tag string) []int {
	var ids []int
	for _, rule := range known() {
		if !rule.Bookkeeping && slices.Contains(rule.Tags, tag) {
			ids = append(ids, rule.ID)
		}
	}
	return ids
}

// skippers are rules that skip the one behind them, by that one. An engine that is kept from the second would have the first skip the next.
var skippers = map[int]int{920540: 920539}

// WithFollowers adds to rules that shall not run at all those that must go with them, sorted.
func WithFollowers(ids []int) []int {
	all := slices.Clone(ids)
	for _, id := range ids {
		if skipper, ok := skippers[id]; ok && !slices.Contains(all, skipper) {
			all = append(all, skipper)
		}
	}
	slices.Sort(all)
	return all
}
