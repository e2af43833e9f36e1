package openapi

import (
	"slices"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestWhatStandsInFrontOfThePathsIsOneThatCanBeAskedFor(t *testing.T) {
	t.Parallel()
	for base, wrong := range map[string]bool{
		"": false, "/": false, "/v1": false, "/a/b": false, "/v1/": true, "/a//b": true, "/a/../b": true, "/%41": true, "/a%2fb": true, "/%zz": true,
	} {
		if violations := validate(&policyv1.Openapi{BasePath: &base}); (len(violations) > 0) != wrong {
			t.Errorf("%q: %v", base, violations)
		}
	}
}

func TestWhoIsRefusedNoMoreIsADanger(t *testing.T) {
	t.Parallel()
	refuse, note := policyv1.OpenapiVerdict_OPENAPI_VERDICT_REFUSE.Enum(), policyv1.OpenapiVerdict_OPENAPI_VERDICT_NOTE.Enum()
	strict := &policyv1.Openapi{Description: "a", Requests: refuse, Undocumented: refuse}
	for name, tt := range map[string]struct {
		before, after *policyv1.Openapi
		want          []string
	}{
		"it comes":      {nil, strict, []string{"undocumented_refused attention", "schema_required attention"}},
		"it goes":       {strict, nil, []string{"undocumented_passes danger", "schema_dropped danger"}},
		"it is noted":   {strict, &policyv1.Openapi{Description: "a", Requests: note, Undocumented: refuse}, []string{"schema_dropped danger"}},
		"it is another": {strict, &policyv1.Openapi{Description: "b", Requests: refuse, Undocumented: refuse}, []string{"description_replaced danger"}},
		"it stays":      {strict, strict, nil},
	} {
		var got []string
		for _, e := range effects(tt.before, tt.after) {
			got = append(got, e.Code+" "+e.Severity.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
