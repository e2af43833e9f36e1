package validate

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestEachBrokenRuleIsToldInPlainWords(t *testing.T) {
	many := make([]string, 257)
	for i := range many {
		many[i] = strings.Repeat("x", i)
	}
	tests := []struct {
		name string
		in   proto.Message
		want []problem.Violation
	}{
		{"nothing", &adminv1.Consumer{Name: "a"}, nil},
		{"an absent message", &configv1.Service{}, []problem.Violation{
			{Pointer: "/upstream", Code: problem.ViolationRequired, Detail: "must be given"},
		}},
		{"a number and a text at depth", &configv1.Upstream{Targets: []*configv1.Target{{Address: "a:1"}, {Weight: proto.Uint32(5000)}}}, []problem.Violation{
			{Pointer: "/targets/1/address", Code: problem.ViolationRequired, Detail: "must be given"},
			{Pointer: "/targets/1/weight", Code: problem.ViolationOutOfRange, Detail: "must be at most 1000", Given: "5000", Allowed: "at most 1000"},
		}},
		{"a duration", &configv1.Timeouts{Connect: durationpb.New(math.MaxInt64)}, []problem.Violation{{
			Pointer: "/connect", Code: problem.ViolationOutOfRange, Detail: "must be 1ms to 1m",
			Given: "2562047h47m16s854ms775us807ns", Allowed: "1ms to 1m",
		}}},
		{"a list's length", &configv1.EnvironmentSettings{TrustedProxies: many}, []problem.Violation{
			{Pointer: "/trusted_proxies", Code: problem.ViolationTooMany, Detail: "must have at most 256 entries", Given: "257", Allowed: "at most 256"},
		}},
		{"an empty list", &configv1.Upstream{}, []problem.Violation{
			{Pointer: "/targets", Code: problem.ViolationTooFew, Detail: "must have at least 1 entry", Given: "0", Allowed: "at least 1"},
		}},
		{"the same twice, and a pattern", &adminv1.ApiKey{Consumer: "c", Scopes: []string{"a", "b c", "b", "a"}}, []problem.Violation{
			{Pointer: "/scopes/3", Code: problem.ViolationNotUnique, Detail: "is the same as entry 0; each may be there once", Given: "a"},
			{
				Pointer: "/scopes/1", Code: problem.ViolationInvalidFormat, Given: "b c", Allowed: `^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`,
				Detail: `must match the pattern ^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`,
			},
		}},
		{"a map's key and value", &adminv1.Consumer{Metadata: map[string]string{"": strings.Repeat("é", 1025)}}, []problem.Violation{
			{Pointer: "/metadata/", Code: problem.ViolationTooShort, Detail: "its key must have at least 1 character", Allowed: "at least 1 character"},
			{
				Pointer: "/metadata/", Code: problem.ViolationTooLong, Detail: "must have at most 1024 characters",
				Given: strings.Repeat("é", 32) + "…", Allowed: "at most 1024 characters",
			},
		}},
		{"a map's key that needs escaping", &adminv1.Consumer{Metadata: map[string]string{"a/b~": strings.Repeat("x", 1025)}}, []problem.Violation{{
			Pointer: "/metadata/a~1b~0", Code: problem.ViolationTooLong, Detail: "must have at most 1024 characters",
			Given: strings.Repeat("x", 64) + "…", Allowed: "at most 1024 characters",
		}}},
		{"no member of a oneof", &configv1.Route{Service: "s", Paths: []*configv1.PathMatch{{}}}, []problem.Violation{{
			Pointer: "/paths/0", Code: problem.ViolationRequired, Detail: "must have exactly one of exact, prefix or template", Allowed: "exact, prefix, template",
		}}},
		{"an enum", &policyv1.RateLimit{
			By:      []*policyv1.CountBy{{Property: &policyv1.CountBy_Key{Key: false}}},
			Windows: []*policyv1.Window{{Requests: 1, Window: durationpb.New(1e9)}}, Scope: policyv1.Scope(7).Enum(),
		}, []problem.Violation{
			{Pointer: "/by/0/key", Code: problem.ViolationInvalidValue, Detail: "must be true", Given: "false", Allowed: "true"},
			{Pointer: "/scope", Code: problem.ViolationInvalidValue, Detail: "must be one of node or fleet", Given: "7", Allowed: "node, fleet"},
		}},
		{"one of several texts", &adminv1.Operation{Action: "drop", Collection: "routes"}, []problem.Violation{{
			Pointer: "/action", Code: problem.ViolationInvalidValue, Detail: "must be one of create, put, patch, delete or rotate",
			Given: "drop", Allowed: "create, put, patch, delete, rotate",
		}}},
		{"a range on both sides", &configv1.Policy{Kind: "k", Position: -1001}, []problem.Violation{
			{Pointer: "/position", Code: problem.ViolationOutOfRange, Detail: "must be -1000 to 1000", Given: "-1001", Allowed: "-1000 to 1000"},
			{Pointer: "/config", Code: problem.ViolationRequired, Detail: "must be given"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Message(tt.in)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	violations := Message(&adminv1.Secret{Name: "a", Value: strings.Repeat("s", 65537)})
	if len(violations) != 1 || violations[0].Pointer != "/value" || violations[0].Given != "" {
		t.Fatalf("got %v", violations)
	}
}

// A rule that doesn't compile would refuse every message of its type.
func TestTheRulesOfEveryMessageCompile(t *testing.T) {
	count := 0
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if !strings.HasPrefix(string(mt.Descriptor().FullName()), "sallyport.") {
			return true
		}
		count++
		for _, v := range Message(mt.New().Interface()) {
			if v.Pointer == "" && v.Code == problem.ViolationInvalidValue {
				t.Errorf("%s: %s", mt.Descriptor().FullName(), v.Detail)
			}
		}
		return true
	})
	if count < 30 {
		t.Errorf("only %d messages were tried", count)
	}
}

func TestAnyMessageCanBeChecked(t *testing.T) {
	for _, m := range []proto.Message{&structpb.Struct{}, &durationpb.Duration{}, (*configv1.Service)(nil)} {
		for _, v := range Message(m) {
			if v.Detail == "" {
				t.Errorf("%T: %v", m, v)
			}
		}
	}
}

func BenchmarkService(b *testing.B) {
	service := &configv1.Service{
		Name: "orders", Labels: map[string]string{"team": "orders"},
		Upstream: &configv1.Upstream{
			Targets: []*configv1.Target{
				{Address: "10.0.3.7:8080", Weight: proto.Uint32(1)}, {Address: "10.0.3.8:8080", Weight: proto.Uint32(1)},
			},
			Timeouts: &configv1.Timeouts{Connect: durationpb.New(2e9), ResponseHead: durationpb.New(30e9)},
		},
	}
	benchmark(b, service)
}

func BenchmarkRoute(b *testing.B) {
	benchmark(b, &configv1.Route{
		Name: "orders", Service: "orders", Hosts: []string{"api.example.com"}, Methods: []string{"GET", "POST"},
		Paths: []*configv1.PathMatch{{Match: &configv1.PathMatch_Template{Template: "/orders/{id}"}}},
	})
}

func BenchmarkRateLimit(b *testing.B) {
	benchmark(b, &policyv1.RateLimit{
		By: []*policyv1.CountBy{{Property: &policyv1.CountBy_Key{Key: true}}}, MaxCallers: proto.Uint32(65536), Scope: policyv1.Scope_SCOPE_NODE.Enum(),
		Windows: []*policyv1.Window{{Requests: 10, Window: durationpb.New(1e9)}},
	})
}

func benchmark(b *testing.B, m proto.Message) {
	b.Helper()
	if violations := Message(m); len(violations) > 0 {
		b.Fatal(violations)
	}
	b.ReportAllocs()
	for b.Loop() {
		Message(m)
	}
}
