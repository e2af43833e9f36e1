package id

import (
	"testing"
	"time"
)

func TestEveryPrefixMakesAnIDAndNoTwoAreAlike(t *testing.T) {
	seen := map[string]bool{}
	for _, prefix := range []string{
		AccessToken, APIDescription, APIKey, AuditEvent, Block, Consumer, Environment, Event, Issuer, JoinToken, Node, NodeGroup, Password, Policy, Proposal, Request, Role, RoleBinding, Route, Secret, Service, Session, Settings, SignInProvider, Team, User, WafExclusion, Webhook,
	} {
		if seen[prefix] {
			t.Errorf("%s is there twice", prefix)
		}
		seen[prefix] = true
		want := New(time.Now())
		text := Text(prefix, want)
		if got, err := Parse(prefix, text); err != nil || got != want || !LooksLikeID(text) {
			t.Errorf("%s: %v, %v, looks like an id: %v", text, got, err, LooksLikeID(text))
		}
	}
}
