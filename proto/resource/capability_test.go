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
