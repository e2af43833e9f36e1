package anonymous

import (
	"slices"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestItSaysWhomItTakesCallersFor(t *testing.T) {
	said := Kind.Access(&policyv1.Anonymous{Consumer: "con_guest"}, func(string) string { return "guest" })
	if len(said) != 1 || said[0].Part != policy.Open || said[0].Code != "anonymous" || said[0].Text != `Who shows no credential calls as "guest".` ||
		!slices.Equal(said[0].Values, []string{"con_guest"}) {
		t.Errorf("%+v", said)
	}
}
