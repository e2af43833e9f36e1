package resource

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

func TestAPatchChangesWhatItNamesAndNothingElse(t *testing.T) {
	const target = `{"name":"orders","labels":{"a":"1","b":"2"},"description":"d",` +
		`"upstream":{"targets":[{"address":"a:80","weight":0},{"address":"b:80"}],"timeouts":{"connect":"1s","response_head":"2s"}}}`
	tests := []struct{ name, patch, want string }{
		{"nothing", `{}`, target},
		{"a field at depth", `{"upstream":{"timeouts":{"connect":"5s"}}}`, `{"name":"orders","labels":{"a":"1","b":"2"},"description":"d",` +
			`"upstream":{"targets":[{"address":"a:80","weight":0},{"address":"b:80"}],"timeouts":{"connect":"5s","response_head":"2s"}}}`},
		{
			"null clears a field, a message and a map's entry", `{"description":null,"upstream":{"timeouts":null},"labels":{"a":null,"c":"3","none":null}}`,
			`{"name":"orders","labels":{"b":"2","c":"3"},"upstream":{"targets":[{"address":"a:80","weight":0},{"address":"b:80"}]}}`,
		},
		{"a list is replaced whole", `{"upstream":{"targets":[{"address":"c:80"}]}}`, `{"name":"orders","labels":{"a":"1","b":"2"},"description":"d",` +
			`"upstream":{"targets":[{"address":"c:80"}],"timeouts":{"connect":"1s","response_head":"2s"}}}`},
		{"what isn't there is made", `{"id":"svc_1","upstream":null}`, `{"id":"svc_1","name":"orders","labels":{"a":"1","b":"2"},"description":"d"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := decoded(t, target, &configv1.Service{})
			before := proto.Clone(service)
			got, violations := MergePatch(service, []byte(tt.patch))
			if len(violations) > 0 {
				t.Fatal(violations)
			}
			if document, err := Encode(got); err != nil || string(document) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", document, err, tt.want)
			}
			if !proto.Equal(service, before) {
				t.Error("the target was changed")
			}
		})
	}
}

func TestAPatchIsAsStrictAsADocument(t *testing.T) {
	service := decoded(t, `{"name":"orders","labels":{"a":"1"}}`, &configv1.Service{})
	tests := []struct {
		name, patch string
		want        []string
	}{
		{"an unknown field", `{"nme":"x"}`, []string{"/nme unknown_field"}},
		{"an unknown field that is removed", `{"nme":null,"upstream":{"nope":null}}`, []string{"/nme unknown_field", "/upstream/nope unknown_field"}},
		{"twice the same", `{"name":"a","name":"b"}`, []string{"/name duplicate_field"}},
		{"another type", `{"labels":[],"name":7}`, []string{"/labels wrong_type", "/name wrong_type"}},
		{"no object", `["name"]`, []string{" wrong_type"}},
		{"null", `null`, []string{" wrong_type"}},
		{"no JSON", `{`, []string{" malformed_json"}},
	}
	for _, tt := range tests {
		got, violations := MergePatch(service, []byte(tt.patch))
		if got != nil {
			t.Errorf("%s: gave %v", tt.name, got)
		}
		wantBrief(t, violations, tt.want...)
	}
}

func TestAPatchReachesIntoAConfig(t *testing.T) {
	policy := decoded(t, `{"kind":"rate-limit","config":{"by":[{"key":true}],"windows":[{"requests":10,"window":"1s"}],"max_callers":100}}`, &configv1.Policy{})
	got, violations := MergePatch(policy, []byte(`{"config":{"max_callers":null,"scope":"node"}}`))
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	const want = `{"kind":"rate-limit","config":{"by":[{"key":true}],"windows":[{"requests":10,"window":"1s"}],"scope":"node"}}`
	if document, err := Encode(got); err != nil || string(document) != want {
		t.Errorf("got %s, %v", document, err)
	}
	_, violations = MergePatch(policy, []byte(`{"config":{"scop":"node"}}`))
	wantBrief(t, violations, "/config/scop unknown_field")
}

// The examples of RFC 7396, appendix A, that start from an object and end in one.
func TestTheExamplesOfRFC7396(t *testing.T) {
	tests := []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	}
	for _, tt := range tests {
		got, violations := MergePatch(decoded(t, tt.target, &structpb.Struct{}), []byte(tt.patch))
		if len(violations) > 0 {
			t.Errorf("%s + %s: %v", tt.target, tt.patch, violations)
			continue
		}
		if document, err := Encode(got); err != nil || string(document) != tt.want {
			t.Errorf("%s + %s = %s, %v; want %s", tt.target, tt.patch, document, err, tt.want)
		}
	}
}
