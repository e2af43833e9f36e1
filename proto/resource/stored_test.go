package resource

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func typeOf(t *testing.T, collection string) *Type {
	t.Helper()
	found, ok := ByCollection(collection)
	if !ok {
		t.Fatalf("no collection %s", collection)
	}
	return found
}

func stored(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := Stored(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSameMessageAlwaysHasTheSameBytes(t *testing.T) {
	service := &configv1.Service{Labels: map[string]string{}}
	for i := range 50 {
		service.Labels[fmt.Sprint("label-", i)] = "x"
	}
	want := string(stored(t, service))
	for range 20 {
		if string(stored(t, proto.Clone(service))) != want {
			t.Fatal("other bytes")
		}
	}
}

func TestStoredReadsBack(t *testing.T) {
	policy := decoded(t, `{"name":"a","kind":"api-key","config":{"required_scopes":["a"]},"attached_to":[{"environment":true}]}`, &configv1.Policy{})
	back, err := FromStored(typeOf(t, "policies"), stored(t, policy))
	if err != nil || !proto.Equal(back, policy) {
		t.Fatalf("got %v, %v", back, err)
	}
}

func TestUnknownFieldsAreRefusedAtAnyDepth(t *testing.T) {
	// A field that no build knows yet.
	unknown := protowire.AppendTag(nil, 9999, protowire.VarintType)
	unknown = protowire.AppendVarint(unknown, 1)

	service := &configv1.Service{Upstream: &configv1.Upstream{Targets: []*configv1.Target{{}, {}}}}
	service.Upstream.Targets[1].ProtoReflect().SetUnknown(unknown)

	apiKey := &policyv1.ApiKey{Locations: []*policyv1.KeyLocation{{}}}
	apiKey.Locations[0].ProtoReflect().SetUnknown(unknown)

	tests := []struct {
		name, collection string
		stored           []byte
	}{
		{"at the top", "services", unknown},
		{"in a list", "services", stored(t, service)},
		{"in a configuration", "policies", stored(t, &configv1.Policy{Config: packed(t, apiKey)})},
		{"a configuration of an unknown kind", "policies", stored(t, &configv1.Policy{Config: &anypb.Any{TypeUrl: "type.googleapis.com/sallyport.policy.v1.Future"}})},
		{"beside a configuration", "policies", stored(t, &configv1.Policy{Config: func() *anypb.Any {
			config := packed(t, &policyv1.ApiKey{})
			config.ProtoReflect().SetUnknown(unknown)
			return config
		}()})},
	}
	for _, tt := range tests {
		if _, err := FromStored(typeOf(t, tt.collection), tt.stored); !errors.Is(err, ErrUnknownField) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	broken := &configv1.Policy{Config: &anypb.Any{TypeUrl: "type.googleapis.com/sallyport.policy.v1.ApiKey", Value: []byte{255}}}
	if _, err := FromStored(typeOf(t, "policies"), stored(t, broken)); err == nil {
		t.Error("a broken configuration passed")
	}
	if _, err := FromStored(typeOf(t, "services"), []byte{255}); err == nil {
		t.Error("broken bytes passed")
	}
}

func TestAnETagIsQuotedAndTellsBytesApart(t *testing.T) {
	if !regexp.MustCompile(`^"[A-Za-z0-9_-]{22}"$`).MatchString(ETag(nil)) {
		t.Errorf("got %s", ETag(nil))
	}
	if ETag([]byte("a")) == ETag([]byte("b")) {
		t.Error("doesn't tell bytes apart")
	}
}
