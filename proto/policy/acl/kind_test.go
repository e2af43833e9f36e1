package acl

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestARuleAboutNobodyIsRefusedAndNotReadAsEverybody(t *testing.T) {
	emptied := &policyv1.AclRule{Consumers: []string{}, Methods: []string{"GET"}}
	for name, config := range map[string]*policyv1.Acl{
		"allow": {Allow: []*policyv1.AclRule{emptied}}, "deny": {Deny: []*policyv1.AclRule{emptied}}, "nil": {Allow: []*policyv1.AclRule{nil}},
	} {
		if violations := Kind.Validate(config); len(violations) != 1 || violations[0].Code != "required" {
			t.Errorf("%s: %+v", name, violations)
		}
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.Acl{nil, {}, {Allow: []*policyv1.AclRule{{Labels: []*policyv1.LabelMatch{nil}}}}, {Deny: []*policyv1.AclRule{{AnyRole: []string{""}, Paths: []string{""}}}}} {
		if violations := Kind.Validate(config); len(violations) != 0 {
			t.Errorf("%v: %+v", config, violations)
		}
	}
}

func TestAClaimOfWhichNothingIsSaidIsRefused(t *testing.T) {
	for _, claims := range [][]*policyv1.ClaimMatch{{nil}, {{Claim: "a"}}} {
		config := &policyv1.Acl{Allow: []*policyv1.AclRule{{EveryConsumer: true, Claims: claims}}}
		if violations := Kind.Validate(config); len(violations) != 1 || violations[0].Pointer != "/allow/0/claims/0" {
			t.Errorf("%v: %+v", claims, violations)
		}
	}
}
