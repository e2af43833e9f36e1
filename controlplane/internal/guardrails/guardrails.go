package guardrails

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/guardrail"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	// maxTime is how long all rules of one change may take together.
	maxTime = 5 * time.Second
	// maxFindings is how many objects are told of that break one guardrail.
	maxFindings = 20
	// keptRules is how many compiled rules are kept.
	keptRules = 1000
)

// Guard evaluates guardrails. It is safe for concurrent use.
type Guard struct {
	rules *lru.Cache[ruleKey, *guardrail.Rule]
	time  time.Duration
}

type ruleKey struct{ collection, text string }

// New returns a guard.
func New() *Guard {
	rules, err := lru.New[ruleKey, *guardrail.Rule](keptRules)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &Guard{rules: rules, time: maxTime}
}

// Finding is one object that breaks one guardrail.
type Finding struct {
	Guardrail *configv1.Guardrail
	Object    *catalog.Object
	Cause     *catalog.Object // what the author changed: the object, a policy or service of it, or the guardrail
	Refuses   bool            // the change must not be made
	Untouched bool            // the object was there before and isn't what changed: the guardrail is
	Text      string
}

// Check evaluates the guardrails that a candidate would have over what it changes. Only once the candidate's own Check found nothing.
func (g *Guard) Check(ctx context.Context, c *catalog.Candidate) []Finding {
	rails := c.Head().Guardrails()
	if len(rails) == 0 || len(c.Edits()) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.time)
	defer cancel()
	e := newEvaluation(c.Head(), c.Edits())
	var findings []Finding
	for _, rail := range rails {
		findings = append(findings, g.hold(ctx, e, rail)...)
	}
	return findings
}

// hold evaluates one guardrail.
func (g *Guard) hold(ctx context.Context, e *evaluation, rail *catalog.Object) []Finding {
	m := resource.Defaulted(rail.Message.(*configv1.Guardrail))
	rule, unread := g.rule(m)
	var findings []Finding
	for subject := range e.subjects(rail, m, rule) {
		if excepted(m.GetExcept(), subject.object) {
			continue
		}
		held, err := false, unread
		if err == nil {
			held, err = rule.Holds(ctx, e.variables(m.GetAppliesTo(), subject.object))
		}
		if held {
			continue
		}
		f := Finding{
			Guardrail: m, Object: subject.object, Cause: subject.cause, Untouched: subject.untouched,
			Refuses: m.GetAction() != configv1.GuardrailAction_GUARDRAIL_ACTION_WARN, Text: textOf(m, subject.object, err),
		}
		if len(findings)+1 == maxFindings {
			f.Text += fmt.Sprintf(" (others may break it too: the first %d are told of)", maxFindings)
		}
		findings = append(findings, f)
		if len(findings) == maxFindings || ctx.Err() != nil {
			break
		}
	}
	return findings
}

// rule returns a guardrail's rule, compiled.
func (g *Guard) rule(m *configv1.Guardrail) (*guardrail.Rule, error) {
	key := ruleKey{m.GetAppliesTo(), m.GetRule()}
	if rule, ok := g.rules.Get(key); ok {
		return rule, nil
	}
	rule, err := guardrail.Compile(key.collection, key.text)
	if err != nil {
		return nil, err
	}
	g.rules.Add(key, rule)
	return rule, nil
}

// excepted tells whether an object need not follow a rule.
func excepted(except *configv1.GuardrailExcept, o *catalog.Object) bool {
	if slices.Contains(except.GetNames(), o.Name) {
		return true
	}
	for key, value := range except.GetLabels() {
		if has, ok := o.Message.GetLabels()[key]; !ok || has != value {
			return false
		}
	}
	return len(except.GetLabels()) > 0
}

// textOf says that an object breaks a guardrail or, with an error, that it can't be told.
func textOf(m *configv1.Guardrail, o *catalog.Object, err error) string {
	at := fmt.Sprintf("guardrail %q, of the %s %q: ", m.GetName(), singular(o.Collection), o.Name)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return at + "there was no time to evaluate its rule, and what isn't known to follow it breaks it"
	case err != nil:
		return at + "its rule can't be evaluated, and what isn't known to follow it breaks it: " + strings.ToValidUTF8(err.Error(), "")
	default:
		return at + strings.ReplaceAll(m.GetMessage(), "{name}", o.Name)
	}
}

func singular(collection string) string {
	if t, ok := resource.ByCollection(collection); ok {
		return t.Singular
	}
	return collection
}
