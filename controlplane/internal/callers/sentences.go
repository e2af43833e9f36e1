package callers

import (
	"fmt"
	"strconv"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

// tell says all of the answer in sentences.
func (a *answer) tell() {
	a.say("%s", a.about())
	a.say("%s", a.who())
	for part := policy.Way; part <= policy.Note; part++ {
		for _, p := range a.made.GetPolicies() {
			a.tellOf(p, part)
		}
	}
	for _, p := range a.made.GetPolicies() {
		if p.GetMode() != enforced {
			a.say("The policy %q (%s) is in shadow: it refuses nobody.", p.GetName(), p.GetKind())
		}
	}
	for _, o := range a.made.GetOverlays() {
		a.tellOverlay(o)
	}
	if more := len(a.overlaid) - len(a.made.GetOverlays()); more > 0 {
		a.say("%d more consumers have policies of their own here.", more)
	}
	a.tellConsumers()
}

const enforced = "enforce"

func (a *answer) say(format string, args ...any) {
	a.made.Sentences = append(a.made.Sentences, fmt.Sprintf(format, args...))
}

// about says which requests are the route's.
func (a *answer) about() string {
	m, _ := a.route.Message.(*configv1.Route)
	text := fmt.Sprintf("The route %q takes requests", m.GetName())
	if methods := m.GetMethods(); len(methods) > 0 {
		text = fmt.Sprintf("The route %q takes %s requests", m.GetName(), policy.List(methods, "and", policy.Bare))
	}
	var paths []string
	for _, match := range m.GetPaths() {
		switch p := match.GetMatch().(type) {
		case *configv1.PathMatch_Exact:
			paths = append(paths, p.Exact)
		case *configv1.PathMatch_Prefix:
			paths = append(paths, p.Prefix+" and below")
		case *configv1.PathMatch_Template:
			paths = append(paths, p.Template)
		}
	}
	if len(paths) > 0 {
		text += " for " + policy.List(paths, "or", policy.Bare)
	}
	if hosts := m.GetHosts(); len(hosts) > 0 {
		text += " on " + policy.List(hosts, "or", policy.Bare)
	}
	switch conditions := len(m.GetHeaders()) + len(m.GetQuery()); conditions {
	case 0:
	case 1:
		text += ", if a condition on headers or query holds"
	default:
		text += fmt.Sprintf(", if %d conditions on headers and query hold", conditions)
	}
	return text + fmt.Sprintf(", and belongs to the service %q.", a.names(m.GetService()))
}

// who says whether callers must prove who they are.
func (a *answer) who() string {
	ways, open := a.enforced(policy.Way), a.enforced(policy.Open)
	switch {
	case a.made.GetPublic():
		return a.anybody()
	case ways > 0 && open > 0:
		return "Callers may prove who they are, and needn't."
	case open > 0:
		return "Nobody has to prove who they are."
	case ways > 1:
		return fmt.Sprintf("Callers prove who they are in one of %d ways: the first proof that a request shows decides.", ways)
	}
	return "Callers prove who they are."
}

// enforced counts the statements of one part by enforced policies.
func (a *answer) enforced(part policy.Part) int {
	n := 0
	for _, p := range a.made.GetPolicies() {
		for _, s := range p.GetStatements() {
			if p.GetMode() == enforced && s.GetPart() == part.String() {
				n++
			}
		}
	}
	return n
}

// anybody says whether a request without any proof passes.
func (a *answer) anybody() string {
	best := policy.Never
	for _, method := range a.made.GetMethods() {
		best = max(best, a.admits(a.effective, policy.Caller{Method: method}))
	}
	switch best {
	case policy.Never:
		return "Nobody can call it: no policy asks who calls, and one refuses whoever isn't known."
	case policy.Depends:
		return "No policy asks who calls; whether a request passes depends on the request."
	default:
		return "Anybody can call it: no policy asks who calls."
	}
}

// tellOf says what an enforced policy says of one part.
func (a *answer) tellOf(p *adminv1.AccessPolicy, part policy.Part) {
	if p.GetMode() != enforced {
		return
	}
	for _, s := range p.GetStatements() {
		if s.GetPart() == part.String() {
			a.say("%s [%s]", s.GetText(), p.GetName())
		}
	}
}

// tellOverlay says what holds for one consumer's requests alone.
func (a *answer) tellOverlay(o *adminv1.AccessOverlay) {
	name := o.GetName()
	if name == "" {
		name = o.GetConsumer()
	}
	for _, p := range o.GetPolicies() {
		if p.GetMode() != enforced {
			a.say("For the consumer %q the policy %q (%s) is in shadow: it refuses nobody.", name, p.GetName(), p.GetKind())
			continue
		}
		if len(p.GetStatements()) == 0 {
			a.say("For the consumer %q the policy %q (%s) applies too.", name, p.GetName(), p.GetKind())
		}
		for _, s := range p.GetStatements() {
			a.say("For the consumer %q: %s [%s]", name, s.GetText(), p.GetName())
		}
	}
}

// tellConsumers says how many can call.
func (a *answer) tellConsumers() {
	c := a.made.GetConsumers()
	if c == nil {
		return
	}
	of := "Of " + amount(c.GetLookedAt(), "consumer")
	if !c.GetComplete() {
		of = "Of the first " + amount(c.GetLookedAt(), "consumer") + " by name"
	}
	with := "with an API key that they have"
	switch {
	case len(a.guests) > 0 && a.keys:
		with += ", or are who shows no credential"
	case len(a.guests) > 0:
		with = "without a credential"
	case !a.keys:
		with = "for certain"
	}
	a.say("%s %d pass %s, from where and as often as is said above; for %d it depends on the request, and %d can't call it.",
		of, c.GetAdmitted(), with, c.GetDepending(), c.GetRefused())
	if a.others {
		a.say("Which consumers have a credential that isn't an API key only their requests show.")
	}
}

func amount(n uint32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(uint64(n), 10) + " " + what + "s"
}
