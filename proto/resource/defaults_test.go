package resource

import (
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestDefaultsFillWhatIsAbsentAtAnyDepth(t *testing.T) {
	// TLS isn't among it: without it targets are spoken to in plain.
	const upstream = `,"balancing":"round_robin","connections":{"max_per_target":0,"queue":100,"queue_timeout":"1s"},` +
		`"ejection":{"consecutive_failures":5,"base_time":"10s","max_percent":50}`
	tests := []struct {
		in, want string
		m        func() proto.Message
	}{
		{`{"name":"a"}`, `{"name":"a"}`, func() proto.Message { return &configv1.Service{} }},
		{
			`{"upstream":{"targets":[{"address":"a:80"},{"address":"b:80","weight":0}]}}`,
			`{"upstream":{"targets":[{"address":"a:80","weight":1},{"address":"b:80","weight":0}],"timeouts":{"connect":"2s","response_head":"30s","try":"0s","request":"0s"}` + upstream + `}}`,
			func() proto.Message { return &configv1.Service{} },
		},
		{
			`{"upstream":{"timeouts":{"response_head":"1s"}}}`, `{"upstream":{"timeouts":{"connect":"2s","response_head":"1s","try":"0s","request":"0s"}` + upstream + `}}`,
			func() proto.Message { return &configv1.Service{} },
		},
		{`{"kind":"api-key","config":{}}`, `{"mode":"enforce","kind":"api-key","config":{"locations":[{"header":"X-Api-Key"}]}}`, func() proto.Message { return &configv1.Policy{} }},
		{
			`{"mode":"off","kind":"rate-limit","config":{"max_callers":64}}`, `{"mode":"off","kind":"rate-limit","config":{"scope":"node","max_callers":64}}`,
			func() proto.Message { return &configv1.Policy{} },
		},
		{`{}`, `{"overlap":"24h"}`, func() proto.Message { return &adminv1.RotateApiKeyRequest{} }},
	}
	for _, tt := range tests {
		given := decoded(t, tt.in, tt.m())
		full := Defaulted(given)
		if document, err := Encode(full); err != nil || string(document) != tt.want {
			t.Errorf("%s is %s, %v; want %s", tt.in, document, err, tt.want)
		}
		if document, err := Encode(given); err != nil || string(document) != tt.in {
			t.Errorf("%s was changed to %s, %v", tt.in, document, err)
		}
		if !proto.Equal(full, Defaulted(full)) {
			t.Errorf("%s: filled in twice it is another", tt.in)
		}
	}
}

func TestADefaultIsNobodysToChange(t *testing.T) {
	first := Defaulted(&policyv1.ApiKey{})
	first.Locations[0].Place = &policyv1.KeyLocation_Query{Query: "changed"}
	if got := Defaulted(&policyv1.ApiKey{}).GetLocations()[0].GetHeader(); got != "X-Api-Key" {
		t.Fatalf("the default is %q now", got)
	}
}

func TestWhatCannotBeReadIsLeftToValidation(t *testing.T) {
	p := &configv1.Policy{Kind: "api-key", Config: packed(t, &policyv1.ApiKey{})}
	p.Config.Value = []byte{255}
	if got := Defaulted(p).GetConfig().GetValue(); string(got) != "\xff" {
		t.Fatalf("got %x", got)
	}
}
