package exclusions

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// incident is a request in which one policy of the WAF found something.
type incident struct {
	head      *catalog.Head
	request   *adminv1.AnsweredRequest
	route     *catalog.Object
	policy    *catalog.Object
	threshold uint32
	score     uint32  // of all findings
	groups    []group // what can be left out, the heaviest first
	unnamed   int     // findings in places that no exclusion can name
}

// group is what one rule found in one place, or in places that one exclusion names.
type group struct {
	rule    uint32
	target  string
	message string
	score   uint32
}

// cutMark ends a target that isn't told whole: it was masked, or is too long.
const cutMark = "…"

// caseOf reads what was found in a request.
func caseOf(head *catalog.Head, request *adminv1.AnsweredRequest) (*incident, error) {
	c := &incident{head: head, request: request}
	var known bool
	if c.route, known = head.Object(catalog.Routes, request.GetRoute()); !known {
		return nil, unfit("its route isn't in the configuration any more", request)
	}
	for _, f := range request.GetDecision().GetFindings() {
		c.add(f)
	}
	if c.policy == nil {
		return nil, unfit("no policy of the WAF that is in the configuration found anything in it", request)
	}
	slices.SortFunc(c.groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.rule, b.rule), strings.Compare(a.target, b.target))
	})
	return c, nil
}

func unfit(why string, request *adminv1.AnsweredRequest) error {
	return problem.Invalid(problem.Violation{
		Pointer: "/request", Code: problem.ViolationInvalidValue, Given: request.GetRequestId(), Detail: "Nothing can be excluded for this request: " + why + ".",
	})
}

// add takes a finding in. Of several policies the first one counts: it is the one that refused, if any did.
func (c *incident) add(f *adminv1.RequestFinding) {
	number, err := strconv.ParseUint(f.GetRule(), 10, 32)
	if err != nil || f.GetInAnswer() {
		return
	}
	if c.policy == nil {
		policy, known := c.head.Object(catalog.Policies, f.GetPolicy())
		if !known {
			return
		}
		threshold, ours := thresholdOf(policy)
		if !ours {
			return
		}
		c.policy, c.threshold = policy, threshold
	}
	if f.GetPolicy() != c.policy.ID {
		return
	}
	rule := uint32(number)
	c.score += f.GetScore()
	target, ok := narrowest(f.GetTarget())
	if !ok {
		c.unnamed++
		return
	}
	for i := range c.groups {
		if g := &c.groups[i]; g.rule == rule && g.target == target {
			g.score += f.GetScore()
			return
		}
	}
	c.groups = append(c.groups, group{rule: rule, target: target, message: f.GetMessage(), score: f.GetScore()})
}

// narrowest returns the target of an exclusion of what was found in a place; false: none can name it. The index of a list in a JSON body is any of them:
// the next request has as many entries as it likes.
func narrowest(place string) (string, bool) {
	part, _, err := ruleset.ParseTarget(place)
	if err != nil || !ruleset.Excludable(part) || strings.HasSuffix(place, cutMark) {
		return "", false
	}
	_, name, named := strings.Cut(place, ":")
	if !named || !strings.HasPrefix(name, "json.") {
		return place, true
	}
	steps := strings.Split(name, ".")
	for i, step := range steps {
		if _, err := strconv.ParseUint(step, 10, 32); err == nil {
			steps[i] = "*"
		}
	}
	return part + ":" + strings.Join(steps, "."), true
}

// choose returns what must be left out: of the rule that is wished for, or the least that takes the score below the threshold.
func (c *incident) choose(wish *adminv1.ExclusionWish) ([]group, error) {
	var chosen []group
	if wish.Rule != nil {
		for _, g := range c.groups {
			if g.rule == wish.GetRule() {
				chosen = append(chosen, g)
			}
		}
		if len(chosen) == 0 {
			return nil, problem.Invalid(problem.Violation{
				Pointer: "/rule", Code: problem.ViolationInvalidValue, Given: form.Given(strconv.FormatUint(uint64(wish.GetRule()), 10)),
				Detail: "The rule found nothing in this request that an exclusion can name.", Allowed: c.rules(),
			})
		}
		return chosen, nil
	}
	alone := c.score < c.threshold // no score refused it: a rule did, by itself
	if alone && c.request.GetVerdict() != string(problem.WafBlocked) && c.request.GetShadowVerdict() != string(problem.WafBlocked) {
		return nil, unfit(fmt.Sprintf("the WAF didn't refuse it, what was found adds up to %d of %d; name a rule that shall find nothing all the same", c.score, c.threshold), c.request)
	}
	left := c.score
	for _, g := range c.groups {
		if alone && g.score == 0 || !alone && left >= c.threshold && g.score > 0 {
			chosen = append(chosen, g)
			left -= g.score
		}
	}
	if len(chosen) == 0 {
		return nil, unfit("what was found lies where no exclusion can name it", c.request)
	}
	return chosen, nil
}

// suffices tells whether the request would pass without what is chosen, as far as its findings tell.
func (c *incident) suffices(chosen []group) bool {
	if c.score < c.threshold {
		return true
	}
	return c.without(chosen) < c.threshold
}

// without returns the score of what else was found.
func (c *incident) without(chosen []group) uint32 {
	left := c.score
	for _, g := range chosen {
		left -= g.score
	}
	return left
}

// rules lists the rules that found something.
func (c *incident) rules() string {
	var all []string
	for _, g := range c.groups {
		if text := strconv.FormatUint(uint64(g.rule), 10); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

// maxNamed is how much of a target's name is in an exclusion's.
const maxNamed = 24

// nameOf returns a name that nothing has: the rule, the place, and the end of the request's id.
func (c *incident) nameOf(g group) string {
	_, place, named := strings.Cut(g.target, ":")
	if !named {
		place = g.target
	}
	place = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, place)
	id := c.request.GetRequestId()
	base := fmt.Sprintf("%d-%s-%s", g.rule, strings.Trim(place[:min(len(place), maxNamed)], "-"), id[max(len(id)-6, 0):])
	name := base
	for i := 2; ; i++ {
		if _, taken := c.head.Object(catalog.Exclusions, name); !taken {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}
