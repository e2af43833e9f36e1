package resource

import (
	"slices"
	"testing"
)

func TestNeedsNameEachPlaceThatNotEveryNodeUnderstands(t *testing.T) {
	for text, want := range map[string][]Need{
		`{"name":"a","kind":"rate-limit","config":{"by":[{"key":true}],"windows":[{"requests":1,"window":"1s"}]}}`:                 nil,
		`{"name":"a","kind":"rate-limit","config":{"by":[{"key":true}],"windows":[{"requests":1,"window":"1s"}],"scope":"node"}}`:  nil,
		`{"name":"a","kind":"rate-limit","config":{"by":[{"key":true}],"windows":[{"requests":1,"window":"1s"}],"scope":"fleet"}}`: {{"/config/scope", 2}},
		`{"name":"a","kind":"acl","config":{},"attached_to":[{"route":"r"},{"consumer":"c"}]}`:                                     {{"/attached_to/1/consumer", 3}, {"/config", 3}},
		`{"name":"a","kind":"acl","config":{"allow":[{"any_role":["a"],"claims":[{"claim":"a","exists":true}],"paths":["/a"]},{"any_scope":["a"],"no_scope":["b"]}]}}`: {
			{"/config", 3}, {"/config/allow/0/any_role", 5}, {"/config/allow/0/claims", 5}, {"/config/allow/0/paths", 5}, {"/config/allow/1/no_scope", 5},
		},
		`{"name":"a","kind":"cel","config":{"expression":"true"}}`: {{"/config", 5}},
	} {
		policies, _ := ByCollection("policies")
		m := policies.New()
		if v := Decode([]byte(text), m); len(v) > 0 {
			t.Fatal(v)
		}
		if got := Needs(m); !slices.Equal(got, want) {
			t.Errorf("%s needs %v, not %v", text, got, want)
		}
	}
}
