package resource

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func descriptor(m proto.Message) protoreflect.MessageDescriptor { return m.ProtoReflect().Descriptor() }

// at returns what stands at a path of names in a schema, as JSON.
func at(t *testing.T, schema map[string]any, path ...string) string {
	t.Helper()
	document, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok || object[name] == nil {
			return ""
		}
		v = object[name]
	}
	document, err = json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func TestASchemaSaysWhatTheProtoSays(t *testing.T) {
	tests := []struct {
		m    proto.Message
		path string
		want string
	}{
		{&configv1.Service{}, "$schema", `"` + Dialect + `"`},
		{&configv1.Service{}, "title", `"Service"`},
		{&configv1.EnvironmentSettings{}, "title", `"Environment settings"`},
		{&configv1.Service{}, "description", `"Service is an API that the gateway fronts: a name and the upstream that answers for it."`},
		{&configv1.Service{}, "additionalProperties", `false`},
		{&configv1.Service{}, "required", `["upstream"]`},
		{&configv1.Service{}, "properties/id/readOnly", `true`},
		{&configv1.Service{}, "properties/name/pattern", `"` + NamePattern + `"`},
		{&configv1.EnvironmentSettings{}, "properties/name/const", `"settings"`},
		{&configv1.Service{}, "properties/description/maxLength", `1024`},
		{&configv1.Service{}, "properties/upstream/$ref", `"#/$defs/Upstream"`},
		{&configv1.Service{}, "properties/upstream/description", `"Where requests are sent."`},
		{&configv1.Service{}, "$defs/Upstream/properties/targets/items/$ref", `"#/$defs/Target"`},
		{&configv1.Service{}, "$defs/Upstream/properties/targets/maxItems", `256`},
		{&configv1.Service{}, "$defs/Upstream/properties/targets/minItems", `1`},
		{&configv1.Service{}, "$defs/Upstream/required", `["targets"]`},
		{&configv1.Service{}, "$defs/Target/properties/weight/default", `1`},
		{&configv1.Service{}, "$defs/Target/properties/weight/maximum", `1000`},
		{&configv1.Service{}, "$defs/Target/properties/weight/minimum", `0`},
		{&configv1.Service{}, "$defs/Target/properties/address/x-placeholder", `"orders.internal:8080"`},
		{&configv1.Service{}, "$defs/Timeouts/properties/connect/default", `"2s"`},
		{&configv1.Service{}, "$defs/Timeouts/properties/connect/x-minimum", `"1ms"`},
		{&configv1.Service{}, "$defs/Timeouts/properties/connect/x-maximum", `"1m"`},
		{&configv1.Service{}, "$defs/Timeouts/properties/response_head/title", `"Response head"`},
		{&configv1.Service{}, "$defs/Service", ``},
		{&configv1.Route{}, "properties/service/x-reference", `"services"`},
		{&configv1.Route{}, "properties/hosts/uniqueItems", `true`},
		{&configv1.Route{}, "properties/hosts/items/maxLength", `253`},
		{&configv1.Route{}, "properties/methods/items/pattern", `"^[A-Z][A-Z-]{0,31}$"`},
		{&configv1.Route{}, "required", `["service","paths"]`},
		{&configv1.PathMatch{}, "oneOf", `[{"required":["exact"],"title":"Exact"},{"required":["prefix"],"title":"Prefix"},{"required":["template"],"title":"Template"}]`},
		{&configv1.Policy{}, "properties/mode/enum", `["off","shadow","enforce"]`},
		{&configv1.Policy{}, "properties/mode/default", `"enforce"`},
		{&configv1.Policy{}, "properties/config/x-typed-by", `"kind"`},
		{&configv1.Policy{}, "properties/position/minimum", `-1000`},
		{&configv1.Policy{}, "properties/position/x-order", `8`},
		{&configv1.Policy{}, "properties/description/x-multiline", `true`},
		{&configv1.Policy{}, "properties/id/title", `"ID"`},
		{&configv1.Policy{}, "properties/mode/x-presence", `true`},
		{&configv1.Policy{}, "properties/final/x-presence", ``},
		{&configv1.Policy{}, "$defs/Attachment/oneOf", `[{"required":["environment"],"title":"Whole environment"},{"required":["service"],"title":"Service"},{"required":["route"],"title":"Route"},{"required":["consumer"],"title":"Consumer"}]`},
		{&configv1.Policy{}, "$defs/Attachment/x-oneofs", `[{"description":"The place.","members":["environment","service","route","consumer"],"name":"level","required":true,"title":"Level"}]`},
		{&policyv1.ApiKey{}, "title", `"API key"`},
		{&policyv1.Openapi{}, "title", `"OpenAPI"`},
		{&policyv1.WafRule{}, "title", `"WAF rule"`},
		{&policyv1.ApiKey{}, "properties/required_scopes/x-entry", `"scope"`},
		{&policyv1.ApiKey{}, "properties/locations/default", `[{"header":"X-Api-Key"}]`},
		{&policyv1.RateLimit{}, "properties/max_callers/x-unit", `"callers"`},
		{&policyv1.RateLimit{}, "properties/max_callers/x-advanced", `true`},
		{&policyv1.RateLimit{}, "$defs/Window/required", `["requests","window"]`},
		{&policyv1.Waf{}, "properties/seclang_before/x-permission", `"waf.raw_rules"`},
		{&policyv1.Waf{}, "properties/rules_before/x-permission", ``},
		{&adminv1.Secret{}, "properties/value/writeOnly", `true`},
		{&adminv1.Secret{}, "properties/value/x-secret", `true`},
		{&adminv1.Secret{}, "properties/value/maxLength", `65536`},
		{&adminv1.ApiKey{}, "properties/key/readOnly", `true`},
		{&adminv1.ApiKey{}, "properties/key/writeOnly", ``},
		{&adminv1.ApiKey{}, "properties/created_at/format", `"date-time"`},
		{&adminv1.Consumer{}, "properties/metadata/propertyNames", `{"maxLength":64,"minLength":1}`},
		{&adminv1.Consumer{}, "properties/metadata/additionalProperties", `{"maxLength":1024,"type":"string"}`},
		{&adminv1.Consumer{}, "properties/metadata/maxProperties", `64`},
		{&adminv1.Operation{}, "properties/action/enum", `["create","put","patch","delete","rotate"]`},
		{&adminv1.Operation{}, "properties/body/type", `"object"`},
		{&adminv1.Environment{}, "properties/epoch/minimum", `0`},
		{&adminv1.Environment{}, "properties/epoch/maximum", ``},
	}
	for _, tt := range tests {
		if got := at(t, Schema(descriptor(tt.m)), strings.Split(tt.path, "/")...); got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.path, descriptor(tt.m).Name(), got, tt.want)
		}
	}
}

func TestSchemasAreMadeOnceEachAndReferToOneAnother(t *testing.T) {
	var all []protoreflect.MessageDescriptor
	for _, m := range ourMessages() {
		all = append(all, descriptor(m))
	}
	components := Schemas("#/components/schemas/", all...)
	byName := map[string]protoreflect.FullName{}
	for _, md := range all {
		name := ComponentName(md)
		if other, taken := byName[name]; taken && other != md.FullName() {
			t.Errorf("%s and %s are both called %s", other, md.FullName(), name)
		}
		byName[name] = md.FullName()
		if components[name] == nil {
			t.Errorf("%s has no schema", name)
		}
	}
	document, err := json.Marshal(components)
	if err != nil {
		t.Fatal(err)
	}
	for _, reference := range strings.Split(string(document), `"$ref":"`)[1:] {
		name, ok := strings.CutPrefix(reference[:strings.IndexByte(reference, '"')], "#/components/schemas/")
		if !ok || components[name] == nil {
			t.Errorf("a reference to %s leads nowhere", name)
		}
	}
	if ComponentName(descriptor(&policyv1.ApiKey{})) != "ApiKeyConfig" {
		t.Error("a kind's configuration is called like the key itself")
	}
	// It fits the API's own list of kinds.
	if violations := Decode(document, &structpb.Struct{}); len(violations) > 0 {
		t.Errorf("can't be held by a struct: %v", violations)
	}
}

func TestAMessageThatHoldsItselfHasASchema(t *testing.T) {
	md := descriptor(&descriptorpb.DescriptorProto{})
	schema := Schema(md)
	if at(t, schema, "$defs", string(md.Name())) == "" {
		t.Fatalf("got %s", at(t, schema))
	}
}

func TestSchemasAreTheSameEachTime(t *testing.T) {
	first := at(t, Schema(descriptor(&policyv1.RateLimit{})))
	for range 10 {
		if at(t, Schema(descriptor(&policyv1.RateLimit{}))) != first {
			t.Fatal("differs")
		}
	}
	if !slices.Equal(requiredFields(descriptor(&configv1.Route{})), []string{"service", "paths"}) {
		t.Error("the required fields aren't in the order of the .proto")
	}
}
