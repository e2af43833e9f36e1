package acl

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/acl"
	"github.com/sallyport/sallyport/proto/problem"
)

// Binding joins the contract of "acl" with its stage.
var Binding = pipeline.Bind(contract.Kind, compile)

// stage is immutable.
type stage struct {
	allow, deny rules
	otherwise   bool // who may pass when no allow rule speaks of the method: every consumer
}

var errOtherwise = errors.New(`otherwise: this build knows "refuse" and "allow" only; update the node`)

func compile(_ pipeline.Env, config *policyv1.Acl) (pipeline.Stage, error) {
	s := new(stage)
	switch config.GetOtherwise() {
	case policyv1.Otherwise_OTHERWISE_REFUSE:
	case policyv1.Otherwise_OTHERWISE_ALLOW:
		s.otherwise = true
	case policyv1.Otherwise_OTHERWISE_UNSPECIFIED:
		return nil, errOtherwise
	default:
		return nil, errOtherwise
	}
	var err error
	if s.allow, err = newRules(config.GetAllow()); err != nil {
		return nil, fmt.Errorf("allow%w", err)
	}
	if s.deny, err = newRules(config.GetDeny()); err != nil {
		return nil, fmt.Errorf("deny%w", err)
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if reason := s.refuses(ex.Caller(), ex.Request.Method); reason != "" {
		return ex.Reject(problem.AccessDenied, "", reason)
	}
	return nil
}

// refuses tells why a caller may not use a method; "" when they may.
func (s *stage) refuses(who *pipeline.Identity, method string) string {
	if !who.Known() {
		return "nobody has authenticated the caller"
	}
	if s.deny.match(who, method) {
		return "a deny rule matches"
	}
	spoken := s.allow.of(method)
	switch {
	case len(spoken) == 0 && s.otherwise:
		return ""
	case len(spoken) == 0:
		return "no allow rule speaks of the method"
	case !anyMatches(spoken, who):
		return "no allow rule matches"
	}
	return ""
}
