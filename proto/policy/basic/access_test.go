package basic_test

import (
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/basic"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestTheWayOfAPasswordIsToldInWords(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`: {`way password: A username and password are taken (HTTP Basic, realm "api"). [api]`},
		`{"realm": "orders", "required_scopes": ["x", "y"], "forward_credentials": true}`: {
			`way password: A username and password are taken (HTTP Basic, realm "orders"). [orders]`,
			`demand scope_required: The password needs the scope "x" and "y". [x y]`,
			`note passwords_forwarded: The service sees the password of its caller. []`,
		},
	} {
		var given policyv1.Basic
		if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
			t.Fatalf("%s: %v", text, violations)
		}
		config := resource.Defaulted(&given)
		var said []string
		for _, s := range basic.Kind.Access(config, func(id string) string { return id }) {
			said = append(said, s.Part.String()+" "+s.Code+": "+s.Text+" ["+strings.Join(s.Values, " ")+"]")
		}
		if !slices.Equal(said, want) {
			t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
		// The scopes that it demands are those of passwords: who comes with a key of another policy isn't held against them.
		if got := basic.Kind.Admits(config)(policy.Caller{Consumer: "con_a"}); got != policy.Admits {
			t.Errorf("a caller with a key: %s", got)
		}
	}
}
