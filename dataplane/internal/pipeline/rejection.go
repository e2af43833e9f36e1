package pipeline

import (
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Rejection is a refusal of a request.
//
//nolint:errname // an outcome that is part of the vocabulary, and travels as an error only out of a stage
type Rejection struct {
	// Code is stable; its definition gives status and title.
	Code problem.Code
	// Detail is public text for the caller, free of internals.
	Detail string
	// Reason is for operators alone: the decision log. It never holds a secret.
	Reason string
	// Policy is the name of the policy that refused; the loop fills it. "" when no policy did.
	Policy string
	// PolicyID is that policy's id; zero when no policy did.
	PolicyID id.ID
	// Header holds fields that the answer needs (WWW-Authenticate, Retry-After, Allow).
	Header Header
	// Violations name the places of the request that broke something, for the caller: the first MaxViolations.
	Violations []problem.Violation

	outright bool // it holds whoever came upon it, a stage in shadow too
}

// MaxViolations is how many places a rejection names.
const MaxViolations = 16

// Violate names a place, as far as there is room.
func (r *Rejection) Violate(v problem.Violation) {
	if len(r.Violations) < MaxViolations {
		r.Violations = append(r.Violations, v)
	}
}

// Error makes a rejection an error.
func (r *Rejection) Error() string { return string(r.Code) + ": " + r.Reason }

// Reject returns a rejection in the exchange's own memory, for a stage to return, maybe after adding to its Header. The
// next one takes its place.
func (ex *Exchange) Reject(code problem.Code, detail, reason string) *Rejection {
	r := &ex.draft
	r.Code, r.Detail, r.Reason, r.Policy, r.PolicyID = code, detail, reason, "", id.ID{}
	r.Header.Reset()
	r.Violations, r.outright = nil, false
	return r
}

// Refuse makes a rejection the answer. The first one stays: later ones change nothing.
func (ex *Exchange) Refuse(r *Rejection) {
	if ex.Rejection != nil {
		return
	}
	if r != &ex.draft {
		ex.copyToDraft(r)
	}
	// What was refused moves out of reach of later drafts.
	ex.final, ex.draft = ex.draft, ex.final
	ex.Rejection, ex.Verdict = &ex.final, ex.final.Code
}

// copyToDraft copies a rejection that may belong to several requests.
func (ex *Exchange) copyToDraft(r *Rejection) {
	draft := ex.Reject(r.Code, r.Detail, r.Reason)
	draft.Policy, draft.PolicyID, draft.Violations = r.Policy, r.PolicyID, r.Violations
	for _, f := range r.Header.Fields() {
		draft.Header.Add(f.Name, f.Value)
	}
}
