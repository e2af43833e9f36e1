package exclusions

import (
	"fmt"
	"strings"
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Verdicts on exclusions that were tried.
const (
	narrow  = "narrow"
	opens   = "opens_attacks"
	notKnow = "untried"
)

// kept is how many findings of a request are kept.
const kept = 16

func verdictOf(tried *adminv1.ExclusionsTried) string {
	switch {
	case tried.GetCode() != "" || tried.GetAttacksRefused() == 0:
		return notKnow
	case tried.GetAttacksOpened() > 0:
		return opens
	}
	return narrow
}

// sentences say what is proposed, and what it would open.
func (c *incident) sentences(chosen []group, answer *adminv1.SuggestedExclusions) []string {
	var all []string
	say := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	for _, g := range chosen {
		say("The rule %d (%s) would no longer look at %s on the route %q.", g.rule, strings.TrimSuffix(g.message, "."), g.target, c.route.Name)
	}
	if !answer.GetSuffices() {
		say("A request like this would still be refused: what else was found adds up to %d, and the policy refuses from %d.", c.without(chosen), c.threshold)
	}
	if c.unnamed > 0 {
		say("%d findings lie where no exclusion can name them, or where their place isn't kept whole.", c.unnamed)
	}
	if len(c.request.GetDecision().GetFindings()) >= kept {
		say("More may have been found than is kept: the first %d findings are.", kept)
	}
	return append(all, triedIn(answer.GetTrial())...)
}

// triedIn says what a node found.
func triedIn(t *adminv1.ExclusionsTried) []string {
	if t.GetCode() != "" {
		return []string{"What it would open isn't known. " + sentence(t.GetDetail())}
	}
	var all []string
	say := func(format string, a ...any) { all = append(all, fmt.Sprintf(format, a...)) }
	switch {
	case t.GetAttacksRefused() == 0:
		say("The Core Rule Set's tests have no attack for these rules that is refused there now.")
	case t.GetAttacksOpened() == 0:
		say("Of %d attacks that are refused there now none would pass: other rules find them.", t.GetAttacksRefused())
	default:
		say("Of %d attacks that are refused there now %d would pass, since no other rule finds them.", t.GetAttacksRefused(), t.GetAttacksOpened())
	}
	switch {
	case t.GetSamples() == 0:
		say("The node has no samples of the route to try it on; a policy asks for them by samples.")
	default:
		say("Of %d requests sampled since %s %d are refused now, and %d of those would pass.",
			t.GetSamples(), t.GetSamplesSince().AsTime().UTC().Format(time.RFC3339), t.GetSamplesRefused(), t.GetSamplesOpened())
	}
	if t.GetCutShort() {
		say("There was more to try than there was time for.")
	}
	return all
}

// sentence ends a text as a sentence does.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
