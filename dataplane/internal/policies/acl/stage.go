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
	otherwise   bool // who may pass when no allow rule speaks of the method and path: every consumer
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
	if s.allow, err = (compiler{roleClaims: config.GetRoleClaims()}).rules(config.GetAllow()); err != nil {
		return nil, fmt.Errorf("allow%w", err)
	}
	if s.deny, err = (compiler{roleClaims: config.GetRoleClaims(), doubt: true}).rules(config.GetDeny()); err != nil {
		return nil, fmt.Errorf("deny%w", err)
	}
	return s, nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if reason := s.refuses(ex.Caller(), &ex.Request); reason != "" {
		return ex.Reject(problem.AccessDenied, "", reason)
	}
	return nil
}

// refuses tells why a caller may not make a request; "" when they may.
func (s *stage) refuses(who *pipeline.Identity, request *pipeline.Request) string {
	if !who.Known() {
		return "nobody has authenticated the caller"
	}
	if _, denied := s.deny.match(who, request); denied {
		return "a deny rule matches"
	}
	switch spoken, allowed := s.allow.match(who, request); {
	case allowed, !spoken && s.otherwise:
		return ""
	case !spoken:
		return "no allow rule speaks of the method and path"
	default:
		return "no allow rule matches"
	}
}
