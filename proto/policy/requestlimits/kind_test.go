package requestlimits

import (
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestMediaTypesAreExactOfATypeOrOfASuffix(t *testing.T) {
	for text, want := range map[string]MediaType{
		"application/json":     {Type: "application", Subtype: "json"},
		"Application/JSON":     {Type: "application", Subtype: "json"},
		"image/*":              {Type: "image"},
		"*/*+json":             {Suffix: "+json"},
		"application/*+json":   {Type: "application", Suffix: "+json"},
		"application/ld+json":  {Type: "application", Subtype: "ld+json"},
		"application/vnd.a.v1": {Type: "application", Subtype: "vnd.a.v1"},
	} {
		if got, err := ParseMediaType(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "json", "application/", "/json", "*/*", "*", "*/json", "application/json; charset=utf-8", "application/js*", "application/*json", "application/*+",
		"application/*+*", "a/b/c", "app lication/json", "application/json\r\n", "*/*+json;x=y", "application/jsön",
	} {
		if got, err := ParseMediaType(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestABoundOfNothingIsABound(t *testing.T) {
	none := uint64(0)
	if v := Kind.Validate(&policyv1.RequestLimits{MaxBodyBytes: &none}); len(v) != 0 {
		t.Errorf("no body at all: %v", v)
	}
	for _, config := range []*policyv1.RequestLimits{nil, {}} {
		if v := Kind.Validate(config); len(v) != 1 {
			t.Errorf("%v: %v", config, v)
		}
	}
	if v := Kind.Validate(&policyv1.RequestLimits{ContentTypes: []string{"", ""}}); len(v) != 2 {
		t.Errorf("empty types: %v", v)
	}
}
