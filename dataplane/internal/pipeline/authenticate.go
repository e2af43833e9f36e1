package pipeline

import (
	"slices"

	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// PassedOver counts a stage that found no credential of its own, where another one was asked after it.
const PassedOver problem.Code = "passed_over"

const challengeField = "WWW-Authenticate"

// Concealer is a stage that authenticates and can take its credential out of a request which another one has decided about: nobody has
// checked it, so no service may come to believe in it. It leaves alone what can be no credential of its own, since that may be the one that decided.
type Concealer interface {
	Conceal(*Exchange)
}

// alternate marks those of a route's stages that authenticate, where there are several.
//
// What is enforced alternates with what is enforced; what is in shadow with all, as it would if all of it were enforced.
func (s *Stages) alternate() {
	enforced, all := 0, 0
	for i := len(s.list) - 1; i >= 0; i-- {
		st := &s.list[i]
		if st.policy.Phase != policy.Authenticate {
			continue
		}
		st.last = all == 0 || !st.shadow && enforced == 0
		all++
		if !st.shadow {
			enforced++
		}
	}
	for i := range s.list {
		s.list[i].alternates = all > 1 && s.list[i].policy.Phase == policy.Authenticate
	}
}

// asks tells whether the i-th stage has a say: where several authenticate, none behind the one that found its credential does.
func (s *Stages) asks(ex *Exchange, i int) bool {
	st := &s.list[i]
	if !st.alternates {
		return true
	}
	decider := ex.decider
	if st.shadow {
		decider = ex.shadowDecider
	}
	return decider == 0 || i < decider
}

// notAsked passes over a stage behind the one that decided. What it would have looked for goes no further.
func (s *Stages) notAsked(ex *Exchange, st *step) {
	if ex.Trace != nil {
		ex.Trace.passedOver("", "another policy had found its credential")
	}
	if concealer, ok := st.stage.(Concealer); ok && !st.shadow {
		concealer.Conceal(ex)
	}
}

// decided notes that the stage which has just run found its credential, whatever it made of it.
func (s *Stages) decided(ex *Exchange, st *step) {
	if ex.shadowDecider == 0 {
		ex.shadowDecider = ex.ran
	}
	if !st.shadow {
		ex.decider = ex.ran
	}
}

// goesOn tells whether another stage is asked after one that authenticates returned an error: it found no credential of its own, and
// isn't the last. The others' failure is the answer then, with its challenge among theirs. Otherwise the stage has decided, or nobody has.
func (s *Stages) goesOn(ex *Exchange, st *step, err error) bool {
	r := rejectionOf(err)
	if r == nil || r.Code != problem.CredentialMissing {
		s.decided(ex, st)
		return false
	}
	if st.shadow {
		return !st.last && s.passOver(ex, st, r)
	}
	ex.challenges.addChallenges(&r.Header)
	return !st.last && s.passOver(ex, st, r)
}

func (s *Stages) passOver(ex *Exchange, st *step, r *Rejection) bool {
	ex.unclaimed = true
	s.runner.Metrics.passedOver(ex, st.counters)
	if ex.Trace != nil {
		ex.Trace.passedOver(r.Code, r.Reason)
	}
	return true
}

// challenge puts the challenges of stages that were passed over beside those of the one that refuses: all of them would be an answer to a
// 401 (RFC 9110, section 15.5.2).
func (ex *Exchange) challenge() {
	if d, _ := problem.Lookup(ex.Rejection.Code); d.Status == unauthorized {
		ex.Rejection.Header.addChallenges(&ex.challenges)
	}
}

const unauthorized = 401

// addChallenges adds those of another header that aren't there yet.
func (h *Header) addChallenges(from *Header) {
	for _, f := range from.Fields() {
		if EqualFold(f.Name, challengeField) && !slices.ContainsFunc(h.fields, func(have Field) bool {
			return have.Value == f.Value && EqualFold(have.Name, challengeField)
		}) {
			h.Add(challengeField, f.Value)
		}
	}
}

// Unclaimed tells a stage that authenticates whether others have looked for a credential of theirs before it, in vain.
func (ex *Exchange) Unclaimed() bool { return ex.unclaimed }

// wasPassedOver tells of an exchange whose stages have run whether the i-th of them was asked in vain, or not at all.
func (s *Stages) wasPassedOver(ex *Exchange, i int) bool {
	st := &s.list[i]
	if !st.alternates || ex.Rejection != nil && st.policy.ID == ex.Rejection.PolicyID {
		return false
	}
	if !s.asks(ex, i) {
		return true
	}
	if st.shadow {
		return i+1 != ex.shadowDecider && !st.last
	}
	return i+1 != ex.decider
}
