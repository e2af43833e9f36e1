package resource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
)

// decoded reads a document that must be right.
func decoded[M proto.Message](t *testing.T, document string, m M) M {
	t.Helper()
	if violations := Decode([]byte(document), m); len(violations) > 0 {
		t.Fatalf("%s: %v", document, violations)
	}
	return m
}

// brief returns pointer and code of each violation.
func brief(violations []problem.Violation) []string {
	var all []string
	for _, v := range violations {
		all = append(all, v.Pointer+" "+v.Code)
	}
	return all
}

func wantBrief(t *testing.T, violations []problem.Violation, want ...string) {
	t.Helper()
	got := brief(violations)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestAServiceIsReadWhole(t *testing.T) {
	got := decoded(t, `{
		"name": "orders", "labels": {"team": "a", "tier": ""}, "description": "Größe",
		"upstream": {
			"targets": [{"address": "a:80", "weight": 0}, {"address": "b:80"}],
			"timeouts": {"connect": "250ms", "response_head": "1m30s"}
		}
	}`, &configv1.Service{})
	want := &configv1.Service{
		Name: "orders", Labels: map[string]string{"team": "a", "tier": ""}, Description: "Größe",
		Upstream: &configv1.Upstream{
			Targets:  []*configv1.Target{{Address: "a:80", Weight: proto.Uint32(0)}, {Address: "b:80"}},
			Timeouts: &configv1.Timeouts{Connect: durationpb.New(250e6), ResponseHead: durationpb.New(90e9)},
		},
	}
	if !proto.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestNullClearsAndFalseAndZeroCount(t *testing.T) {
	got := decoded(t, `{"name":null,"labels":null,"mode":null,"attached_to":null,"config":null,"final":false}`, &configv1.Policy{Name: "before"})
	if !proto.Equal(got, &configv1.Policy{}) {
		t.Errorf("got %v", got)
	}
	if got := decoded(t, `{"weight":0}`, &configv1.Target{}); got.Weight == nil {
		t.Error("an explicit zero is absent")
	}
	if got := decoded(t, `{"name":"x","present":false}`, &configv1.ValueMatch{}); got.Match == nil {
		t.Error("an explicit false of a oneof is absent")
	}
	if got := decoded(t, `{"exact":null,"prefix":"/a"}`, &configv1.PathMatch{}); got.GetPrefix() != "/a" {
		t.Errorf("got %v", got)
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	wantBrief(t, Decode([]byte(`{
		"nme": "x",
		"name": 7,
		"name": "x",
		"labels": {"a": 1, "b": null, "c": "ok"},
		"description": ["x"],
		"upstream": {
			"targets": [{"address": "a:80", "weight": "1"}, "b:80", {"weight": 1.5}, {"weight": -1}, {"weight": 4294967296}, null],
			"timeouts": {"connect": 5, "response_head": "5", "idle": "1s"}
		},
		"upstreem": {"anything": {"below": 1}}
	}`), &configv1.Service{}),
		"/nme unknown_field",
		"/name duplicate_field",
		"/name wrong_type",
		"/labels/a wrong_type",
		"/labels/b wrong_type",
		"/description wrong_type",
		"/upstream/targets/0/weight wrong_type",
		"/upstream/targets/1 wrong_type",
		"/upstream/targets/2/weight invalid_value",
		"/upstream/targets/3/weight out_of_range",
		"/upstream/targets/4/weight out_of_range",
		"/upstream/targets/5 wrong_type",
		"/upstream/timeouts/connect wrong_type",
		"/upstream/timeouts/response_head invalid_format",
		"/upstream/timeouts/idle unknown_field",
		"/upstreem unknown_field",
	)
}

func TestAViolationShowsWhatWasGivenAndWhatIsAllowed(t *testing.T) {
	tests := []struct {
		document string
		m        proto.Message
		want     problem.Violation
	}{
		{`{"mode":"ENFORCE"}`, &configv1.Policy{}, problem.Violation{
			Pointer: "/mode", Code: problem.ViolationInvalidValue, Detail: "must be off, shadow or enforce", Given: "ENFORCE", Allowed: "off, shadow, enforce",
		}},
		{`{"mode":3}`, &configv1.Policy{}, problem.Violation{
			Pointer: "/mode", Code: problem.ViolationWrongType, Detail: "must be a string, not a number", Given: "3", Allowed: "off, shadow, enforce",
		}},
		{`{"weight":"7"}`, &configv1.Target{}, problem.Violation{
			Pointer: "/weight", Code: problem.ViolationWrongType, Detail: "must be a number, written without quotes", Given: "7", Allowed: "a number",
		}},
		{`{"weight":1e3}`, &configv1.Target{}, problem.Violation{
			Pointer: "/weight", Code: problem.ViolationInvalidValue, Detail: "must be a whole number, without fraction and exponent",
			Given: "1e3", Allowed: "0 to 4294967295",
		}},
		{`{"Address":"a:80"}`, &configv1.Target{}, problem.Violation{
			Pointer: "/Address", Code: problem.ViolationUnknownField, Detail: "there is no field of this name; did you mean address?",
			Given: "Address", Allowed: "address, weight",
		}},
		{`{"responseHead":"1s"}`, &configv1.Timeouts{}, problem.Violation{
			Pointer: "/responseHead", Code: problem.ViolationUnknownField, Detail: "there is no field of this name; did you mean response_head?",
			Given: "responseHead", Allowed: "connect, response_head, try, request",
		}},
		{`{"entirely_else":1}`, &configv1.Timeouts{}, problem.Violation{
			Pointer: "/entirely_else", Code: problem.ViolationUnknownField, Detail: "there is no field of this name",
			Given: "entirely_else", Allowed: "connect, response_head, try, request",
		}},
		{`{"exact":"/a","prefix":"/b"}`, &configv1.PathMatch{}, problem.Violation{
			Pointer: "/prefix", Code: problem.ViolationMutuallyExcluded, Detail: "can't be given together with exact; give one of them",
			Allowed: "exact, prefix, template",
		}},
		{`[1]`, &configv1.PathMatch{}, problem.Violation{
			Code: problem.ViolationWrongType, Detail: "must be an object, not a list", Given: "a list", Allowed: "an object",
		}},
		{`null`, &configv1.PathMatch{}, problem.Violation{
			Code: problem.ViolationWrongType, Detail: "must be an object, not null", Given: "null", Allowed: "an object",
		}},
		{`{"kind":"rate_limit","config":{}}`, &configv1.Policy{}, problem.Violation{
			Pointer: "/kind", Code: problem.ViolationUnknownKind, Detail: "there is no policy kind of this name; did you mean rate-limit?",
			Given: "rate_limit", Allowed: strings.Join(kinds.Names(), ", "),
		}},
		{`{"config":{}}`, &configv1.Policy{}, problem.Violation{
			Pointer: "/kind", Code: problem.ViolationRequired, Detail: "must be given: it says how config is read", Allowed: strings.Join(kinds.Names(), ", "),
		}},
		{`{"expires_at":"tomorrow"}`, &adminv1.AccessToken{}, problem.Violation{
			Pointer: "/expires_at", Code: problem.ViolationInvalidFormat,
			Detail: `is no time: want a time of RFC 3339: "2027-01-31T12:00:00Z"`, Given: "tomorrow",
		}},
	}
	for _, tt := range tests {
		violations := Decode([]byte(tt.document), tt.m)
		if len(violations) != 1 || violations[0] != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.document, violations, tt.want)
		}
	}
}

func TestSecretsAreNotRepeatedInViolations(t *testing.T) {
	for _, document := range []string{`{"value":1234567}`, `{"value":["1234567"]}`, `{"value":{"a":"1234567"}}`} {
		violations := Decode([]byte(document), &adminv1.Secret{})
		if len(violations) != 1 || strings.Contains(fmt.Sprint(violations), "1234567") {
			t.Errorf("%s: %v", document, violations)
		}
	}
}

func TestWhatIsNoJSONBecomesTheProblemMalformedJSON(t *testing.T) {
	violations := Decode([]byte("{\n\"name\": }"), &configv1.Service{})
	var failed *problem.Error
	if !errors.As(AsError(violations), &failed) || failed.Code != problem.MalformedJSON || failed.Errors != nil {
		t.Fatalf("got %v", AsError(violations))
	}
	if failed.Public != "line 2, column 9: want a value" {
		t.Errorf("got %q", failed.Public)
	}
	violations = Decode([]byte(`{"nme":1}`), &configv1.Service{})
	if !errors.As(AsError(violations), &failed) || failed.Code != problem.InvalidRequest || len(failed.Errors) != 1 {
		t.Errorf("got %v", AsError(violations))
	}
	if AsError(nil) != nil {
		t.Error("no violations are an error")
	}
}

func TestNumbersKeepTheirBoundsAndNothingElsePasses(t *testing.T) {
	tests := []struct {
		m        proto.Message
		good     []string
		refused  []string
		badTypes []string
	}{
		{&wrapperspb.Int32Value{}, []string{"0", "-0", "2147483647", "-2147483648"}, []string{"2147483648", "-2147483649", "1.0", "1e1", "0.5"}, []string{`"1"`, "true", "[]", "{}"}},
		{&wrapperspb.Int64Value{}, []string{"9223372036854775807", "-9223372036854775808"}, []string{"9223372036854775808", "1E2"}, []string{`"1"`}},
		{&wrapperspb.UInt32Value{}, []string{"-0", "4294967295"}, []string{"4294967296", "-1"}, []string{`""`}},
		{&wrapperspb.UInt64Value{}, []string{"18446744073709551615"}, []string{"18446744073709551616", "-1", "1.5"}, []string{`"1"`}},
		{&wrapperspb.FloatValue{}, []string{"1.5", "-3e38", "1e-50"}, []string{"1e39"}, []string{`"NaN"`}},
		{&wrapperspb.DoubleValue{}, []string{"1.5", "1e308", "-0.0", "1e-400"}, []string{"1e309"}, []string{`"Infinity"`}},
		{&wrapperspb.BoolValue{}, []string{"true", "false"}, nil, []string{"0", `"true"`, "[]"}},
		{&wrapperspb.StringValue{}, []string{`""`, `"é"`}, nil, []string{"0", "{}"}},
		{&wrapperspb.BytesValue{}, []string{`""`, `"AA=="`, `"+/8="`}, []string{`"AA"`, `"AB=="`, `"-_8="`, `"A\nA=="`, `"é"`}, []string{"0"}},
	}
	for _, tt := range tests {
		name := tt.m.ProtoReflect().Descriptor().Name()
		try := func(value string) []problem.Violation { return Decode([]byte(`{"value":`+value+`}`), tt.m) }
		for _, value := range tt.good {
			if violations := try(value); len(violations) > 0 {
				t.Errorf("%s %s: %v", name, value, violations)
			}
		}
		for _, value := range tt.refused {
			if violations := try(value); len(violations) != 1 || violations[0].Code == problem.ViolationWrongType {
				t.Errorf("%s %s: %v", name, value, violations)
			}
		}
		for _, value := range tt.badTypes {
			if violations := try(value); len(violations) != 1 || violations[0].Code != problem.ViolationWrongType {
				t.Errorf("%s %s: %v", name, value, violations)
			}
		}
	}
}

func TestABareConfigIsReadAsTheKindBesideIt(t *testing.T) {
	// The kind may stand behind the configuration.
	got := decoded(t, `{"config":{"locations":[{"header":"X-Key"}]},"kind":"api-key"}`, &configv1.Policy{})
	var config policyv1.ApiKey
	if err := got.GetConfig().UnmarshalTo(&config); err != nil || config.GetLocations()[0].GetHeader() != "X-Key" {
		t.Fatalf("got %v, %v", got, err)
	}
	wantBrief(t, Decode([]byte(`{"kind":"api-key","config":{"locations":[{"header":1,"nope":2}],"@type":"x"}}`), &configv1.Policy{}),
		"/config/locations/0/header wrong_type", "/config/locations/0/nope unknown_field", "/config/@type unknown_field")
	wantBrief(t, Decode([]byte(`{"kind":7,"config":{"anything":1}}`), &configv1.Policy{}), "/kind wrong_type")
	wantBrief(t, Decode([]byte(`{"kind":null,"config":{}}`), &configv1.Policy{}), "/kind required")
	wantBrief(t, Decode([]byte(`{"kind":"api-key","config":[]}`), &configv1.Policy{}), "/config wrong_type")
}

func TestAnAnyWithoutAKindBesideItIsRefused(t *testing.T) {
	wantBrief(t, Decode([]byte(`{}`), &anypb.Any{}), " not_supported")
	if _, err := Encode(&anypb.Any{}); err == nil {
		t.Error("was written")
	}
}

func TestAStructHoldsAnyJSONAndNothingInexact(t *testing.T) {
	const document = `{"a":null,"b":[true,"x",{"c":-1.5}],"d":9007199254740993000,"e":1e300}`
	wantBrief(t, Decode([]byte(document), &structpb.Struct{}), "/d out_of_range")
	exact := strings.Replace(document, "9007199254740993000", "9007199254740992", 1)
	got := decoded(t, exact, &structpb.Struct{})
	if got.Fields["b"].GetListValue().Values[2].GetStructValue().Fields["c"].GetNumberValue() != -1.5 {
		t.Errorf("got %v", got)
	}
	wantBrief(t, Decode([]byte(`{"a":1e400,"b":{"c":1,"c":2}}`), &structpb.Struct{}), "/a out_of_range", "/b/c duplicate_field")
	wantBrief(t, Decode([]byte(`[]`), &structpb.Struct{}), " wrong_type")
	wantBrief(t, Decode([]byte(`{}`), &structpb.ListValue{}), " wrong_type")
	wantBrief(t, Decode([]byte(`{"operations":[{"body":{"weight":1,"weight":2}}]}`), &adminv1.ChangesRequest{}), "/operations/0/body/weight duplicate_field")
}

func TestTheNumberOfViolationsIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, `,"field_%d":1`, i)
	}
	if violations := Decode([]byte("{"+b.String()[1:]+"}"), &configv1.Service{}); len(violations) != 1000 {
		t.Fatalf("%d violations", len(violations))
	}
}

func TestMessagesBeyondOursAreReadToo(t *testing.T) {
	got := decoded(t, `{"api_key":{"digest":"AAE=","expires_at_ms":-1}}`, &directoryv1.Entry{})
	if string(got.GetApiKey().GetDigest()) != "\x00\x01" || got.GetApiKey().GetExpiresAtMs() != -1 {
		t.Fatalf("got %v", got)
	}
}

func TestNearestFindsWhatWasMeant(t *testing.T) {
	names := []string{"address", "weight", "response_head"}
	for given, want := range map[string]string{
		"adddress": "address", "ADDRESS": "address", "wieght": "weight", "responseHead": "response_head", "response-head": "response_head",
		"response": "", "x": "", "": "", "zzzzzz": "", strings.Repeat("a", 100): "",
	} {
		if got := nearest(given, names); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
