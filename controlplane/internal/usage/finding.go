package usage

import (
	"net/netip"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// maxFindings is how many findings are kept of a request.
const maxFindings = 16

// Bounds of a finding's texts, in bytes; what is longer is cut.
const (
	maxRule     = 64
	maxMessage  = 200
	maxFoundAt  = 128
	maxFoundHow = 64
)

// Outcome is what a policy did with a request in which it found something.
type Outcome int16

// Outcomes, as the store has them.
const (
	FoundPassed        Outcome = iota // it let the request pass
	FoundRefused                      // it refused it
	FoundShadowRefused                // it would have refused it
)

// Finding is what a rule of a policy found in a request: one for each rule and policy, however often it was found.
type Finding struct {
	Environment     string
	TimeMs          int64 // of the request, since 1970
	RequestID       string
	Policy          [16]byte
	Rule, Message   string
	Target          string // where it was found first
	Route, Consumer [16]byte
	Client          netip.Addr // invalid: not known
	Outcome         Outcome
	Excluded        bool  // an exclusion in shadow would have kept the rule from all that it found
	First           bool  // the first of its request
	Rules           int16 // how many there are of its request
	Succeeded       bool  // the request was let pass, and answered well
}

// isFinding tells whether a finding can be kept.
func isFinding(f *usagev1.Finding) bool {
	return len(f.GetPolicy()) == idSize && idOrNone(f.GetExclusion()) && f.GetRule() != ""
}

// legibleFinding makes a finding's texts fit.
func legibleFinding(f *usagev1.Finding) {
	f.Rule, f.Message = legible(f.GetRule(), maxRule), legible(f.GetMessage(), maxMessage)
	f.Target, f.Part = legible(f.GetTarget(), maxFoundAt), legible(f.GetPart(), maxFoundHow)
}

// findingsOf returns what is counted of the findings of a request whose decision is kept.
func findingsOf(r *Request, d *usagev1.Decision) []Finding {
	type key struct {
		policy [16]byte
		rule   string
	}
	var all []Finding
	places := map[key]int{}
	for _, f := range d.GetFindings() {
		k := key{[16]byte(f.GetPolicy()), f.GetRule()}
		if at, known := places[k]; known {
			all[at].Excluded = all[at].Excluded && len(f.GetExclusion()) > 0
			continue
		}
		places[k] = len(all)
		all = append(all, Finding{
			Environment: r.Environment, TimeMs: r.TimeMs, RequestID: r.ID, Policy: k.policy, Rule: k.rule,
			Message: f.GetMessage(), Target: f.GetTarget(), Route: r.Route, Consumer: r.Consumer, Client: r.Client,
			Outcome: outcomeOf(r, d, k.policy), Excluded: len(f.GetExclusion()) > 0, First: len(all) == 0,
			Succeeded: r.Verdict == allowed && r.Status >= 200 && r.Status < 400,
		})
	}
	for i := range all {
		all[i].Rules = int16(len(all)) // #nosec G115 -- maxFindings at most
	}
	return all
}

// allowed is the verdict of requests that nobody refused.
const allowed = "allowed"

// outcomeOf returns what a policy did with a request.
func outcomeOf(r *Request, d *usagev1.Decision, policy [16]byte) Outcome {
	if r.Verdict != allowed && r.Policy == policy {
		return FoundRefused
	}
	for _, s := range d.GetSteps() {
		if s.GetVerdict() == usagev1.Step_VERDICT_SHADOW_REFUSED && [16]byte(s.GetPolicy()) == policy {
			return FoundShadowRefused
		}
	}
	return FoundPassed
}
