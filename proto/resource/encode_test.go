package resource

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

func TestMessagesAreWrittenInTheirOneForm(t *testing.T) {
	tests := []struct {
		name string
		in   proto.Message
		want string
	}{
		{"nothing", &configv1.Service{}, `{}`},
		{"in the order of the .proto, zeros with presence kept, absent ones left out", &configv1.Service{
			Name: "orders", Id: "svc_1", Upstream: &configv1.Upstream{Targets: []*configv1.Target{{Address: "a:80", Weight: proto.Uint32(0)}, {}}},
		}, `{"id":"svc_1","name":"orders","upstream":{"targets":[{"address":"a:80","weight":0},{}]}}`},
		{
			"maps in the order of their keys", &configv1.Service{Labels: map[string]string{"b": "2", "a": "1", "a/b": "3"}},
			`{"labels":{"a":"1","a/b":"3","b":"2"}}`,
		},
		{"durations, times and large numbers", &adminv1.Environment{
			Epoch: math.MaxUint64, CreatedAt: &timestamppb.Timestamp{Seconds: 1, Nanos: 5e8},
		}, `{"epoch":18446744073709551615,"created_at":"1970-01-01T00:00:01.5Z"}`},
		{"an empty message that is present", &configv1.Upstream{Timeouts: &configv1.Timeouts{}}, `{"timeouts":{}}`},
		{"a duration", &configv1.Timeouts{Connect: durationpb.New(90e9)}, `{"connect":"1m30s"}`},
		{"enums; one that says nothing", &configv1.Policy{Mode: configv1.Mode_MODE_SHADOW.Enum()}, `{"mode":"shadow"}`},
		{"an enum that says nothing", &configv1.Policy{Mode: configv1.Mode_MODE_UNSPECIFIED.Enum(), Final: true}, `{"final":true}`},
		{"a member of a oneof that is false", &configv1.ValueMatch{Name: "x", Match: &configv1.ValueMatch_Present{}}, `{"name":"x","present":false}`},
		{"texts", &configv1.Service{Description: "\"é\n\u2028</script>"}, `{"description":"\"é\n\u2028</script>"}`},
		{"bytes", &directoryv1.Secret{Value: []byte{0, 255}}, `{"value":"AP8="}`},
		{"optional texts that are empty", &adminv1.UsageRow{Route: proto.String(""), Requests: 3}, `{"route":"","requests":3}`},
		{"a float", wrapperspb.Float(0.1), `{"value":0.1}`},
		{"small and great doubles", &structpb.ListValue{Values: []*structpb.Value{
			structpb.NewNumberValue(1e-7), structpb.NewNumberValue(1e21), structpb.NewNumberValue(123456789012), structpb.NewNumberValue(math.Copysign(0, -1)),
			structpb.NewNumberValue(2659342189044857856), structpb.NewNumberValue(1 << 53),
		}}, `[1e-07,1e+21,123456789012,0,2659342189044857856,9007199254740992]`},
		{"a struct in the order of its keys", &structpb.Struct{Fields: map[string]*structpb.Value{
			"b": structpb.NewNullValue(), "a": structpb.NewStringValue("x"), "c": {}, "d": structpb.NewBoolValue(true),
		}}, `{"a":"x","b":null,"c":null,"d":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Encode(tt.in)
			if err != nil || string(got) != tt.want {
				t.Fatalf("got %s, %v", got, err)
			}
		})
	}
}

func TestAConfigIsWrittenBare(t *testing.T) {
	const document = `{"kind":"rate-limit","config":{"by":[{"route":true},{"key":true}],"windows":[{"requests":10,"window":"1s","burst":20}]}}`
	got, err := Append([]byte("x"), decoded(t, document, &configv1.Policy{}))
	if err != nil || string(got) != "x"+document {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestWhatHasNoFormIsAnErrorAndLeavesTheBuffer(t *testing.T) {
	for name, m := range map[string]proto.Message{
		"a number that is not finite":     wrapperspb.Double(math.NaN()),
		"an infinite one in a struct":     structpb.NewNumberValue(math.Inf(1)),
		"an enum's unknown number":        &configv1.Policy{Mode: configv1.Mode(99).Enum()},
		"a time before year 1":            &adminv1.Environment{CreatedAt: &timestamppb.Timestamp{Seconds: math.MinInt64}},
		"a duration longer than all":      &configv1.Timeouts{Connect: &durationpb.Duration{Seconds: math.MaxInt64}},
		"a configuration of no kind":      &configv1.Policy{Config: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Empty"}},
		"a configuration of broken bytes": &configv1.Policy{Config: &anypb.Any{TypeUrl: "type.googleapis.com/sallyport.policy.v1.ApiKey", Value: []byte{255}}},
	} {
		if got, err := Append([]byte("x"), m); err == nil || string(got) != "x" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestAMessageBecomesAStruct(t *testing.T) {
	s, err := AsStruct(&configv1.Target{Address: "a:80", Weight: proto.Uint32(7)})
	if err != nil || s.Fields["weight"].GetNumberValue() != 7 {
		t.Fatalf("got %v, %v", s, err)
	}
	if _, err := AsStruct(&adminv1.Environment{Epoch: math.MaxUint64}); err == nil {
		t.Error("a number that a struct can't hold passed")
	}
	if _, err := AsStruct(wrapperspb.Double(math.NaN())); err == nil {
		t.Error("a number that is not finite passed")
	}
}
