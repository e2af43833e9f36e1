package resource

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	p, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReferencesAreFoundAtAnyDepth(t *testing.T) {
	tests := []struct {
		name string
		in   proto.Message
		want []Reference
	}{
		{"none", &configv1.Service{Name: "a"}, nil},
		{"an empty one", &configv1.Route{}, nil},
		{"a route's service", &configv1.Route{Service: "orders"}, []Reference{{"/service", "services", "orders"}}},
		{"a policy's attachments", &configv1.Policy{Config: packed(t, &policyv1.ApiKey{}), AttachedTo: []*configv1.Attachment{
			{Level: &configv1.Attachment_Environment{Environment: true}},
			{Level: &configv1.Attachment_Service{Service: "orders"}},
			{Level: &configv1.Attachment_Route{Route: "rt_1"}},
			{},
		}}, []Reference{{"/attached_to/1/service", "services", "orders"}, {"/attached_to/2/route", "routes", "rt_1"}}},
		{"a key's", &adminv1.ApiKey{Consumer: "c", RotatedTo: "k"}, []Reference{{"/consumer", "consumers", "c"}, {"/rotated_to", "api-keys", "k"}}},
	}
	for _, tt := range tests {
		if got := References(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestRewriteChangesReferencesAlone(t *testing.T) {
	policy := decoded(t, `{"name":"orders","attached_to":[{"service":"orders"},{"route":"orders"}],"kind":"api-key","config":{}}`, &configv1.Policy{})
	Rewrite(policy, func(r Reference) string { return r.Collection + ":" + r.Value })
	const want = `{"name":"orders","attached_to":[{"service":"services:orders"},{"route":"routes:orders"}],"kind":"api-key","config":{}}`
	if got, err := Encode(policy); err != nil || string(got) != want {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestReferencesLeavesTheMessageAsItIs(t *testing.T) {
	policy := decoded(t, `{"attached_to":[{"service":"orders"}],"kind":"api-key","config":{"required_scopes":["a"]}}`, &configv1.Policy{})
	before, _ := Stored(policy)
	References(policy)
	if after, _ := Stored(policy); !bytes.Equal(after, before) {
		t.Fatal("was changed")
	}
}
