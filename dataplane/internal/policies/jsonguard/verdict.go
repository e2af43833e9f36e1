package jsonguard

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// verdict collects what a document breaks: callers are told of all of it at once.
type verdict struct {
	stage *stage
	ex    *pipeline.Exchange
	doc   *payload.JSON

	refused *pipeline.Rejection // nil: nothing is broken
}

// error returns the refusal as the loop of stages takes it.
func (v *verdict) error() error {
	if v.refused == nil {
		return nil
	}
	return v.refused
}

// judge holds what was counted against the bounds.
func (v *verdict) judge(found *payload.JSONStats) {
	s := v.stage
	v.bound("max_depth", found.Depth, s.depth, problem.ViolationTooMany, "More than %d objects and arrays lie in each other.")
	v.bound("max_keys", found.Keys, s.keys, problem.ViolationTooMany, "An object has more than %d keys.")
	v.bound("max_entries", found.Entries, s.entries, problem.ViolationTooMany, "An array has more than %d entries.")
	v.bound("max_key_bytes", found.KeyBytes, s.keyBytes, problem.ViolationTooLong, "A key has more than %d bytes.")
	v.bound("max_text_bytes", found.TextBytes, s.text, problem.ViolationTooLong, "A text has more than %d bytes.")
	v.bound("max_values", payload.Peak{Most: found.Values}, s.values, problem.ViolationTooMany, "The body has more than %d values.")
	if !s.duplicates {
		v.place("duplicate_key", found.Duplicate, problem.ViolationDuplicateField, "An object has this key twice, and parsers differ on which one counts.")
	}
	if !s.prototypes {
		v.place("prototype_key", found.Prototype, problem.ViolationInvalidValue, "The key is one by which some languages reach the prototype of all objects.")
	}
	switch s.numbers {
	case policyv1.JsonNumbers_JSON_NUMBERS_INTEGERS:
		v.place("numbers", found.Fraction, problem.ViolationInvalidValue, "A number has a fraction or an exponent.")
		fallthrough
	case policyv1.JsonNumbers_JSON_NUMBERS_EXACT:
		v.place("numbers", found.Inexact, problem.ViolationOutOfRange, "A number is one that parsers round, each in its way.")
	case policyv1.JsonNumbers_JSON_NUMBERS_ANY, policyv1.JsonNumbers_JSON_NUMBERS_UNSPECIFIED:
	}
}

func (v *verdict) bound(rule string, found payload.Peak, most int, code, text string) {
	if found.Most > most {
		v.broken(rule, code, fmt.Sprintf(text, most), v.doc.Pointer(found.At))
	}
}

func (v *verdict) place(rule string, at payload.Place, code, text string) {
	if at.IsSomewhere() {
		v.broken(rule, code, text, v.doc.Pointer(at))
	}
}

func (v *verdict) broken(rule, code, text, pointer string) {
	if v.refused == nil {
		v.refused = v.ex.Reject(problem.JSONRefused, text, rule)
	}
	v.refused.Violate(problem.Violation{Pointer: pointer, Code: code, Detail: text})
	v.stage.found(v.ex, rule, text, pointer)
}

// found tells operators.
func (s *stage) found(ex *pipeline.Exchange, rule, text, pointer string) {
	if pointer == "" {
		pointer = "body"
	}
	ex.Found(pipeline.Finding{Policy: s.policy, Rule: rule, Message: text, Target: pointer})
}

// notJSON refuses what couldn't be parsed.
func (s *stage) notJSON(ex *pipeline.Exchange, err error) error {
	refused := ex.RejectBody(problem.JSONRefused, err)
	if f, broken := errors.AsType[*payload.Fault](err); broken {
		s.found(ex, f.Rule, f.Reason, f.Pointer)
	}
	return refused
}
