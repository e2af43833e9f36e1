package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestCheckTextPointsAtEveryTextWithANul(t *testing.T) {
	tests := map[string]struct {
		body string
		want []string
	}{
		"none":               {`{"a":"b"}`, nil},
		"an escaped escape":  {`{"a":"\\u0000"}`, nil},
		"no JSON":            {`{"a":"\u0000"`, nil},
		"a value":            {`{"a":"x\u0000y"}`, []string{"/a"}},
		"at any depth":       {`{"a":[1,{"b":"\u0000"}],"c":"\u0000"}`, []string{"/a/1/b", "/c"}},
		"a name":             {`{"a":{"x\u0000":1}}`, []string{"/a"}},
		"the whole document": {`"\u0000"`, []string{""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var found *problem.Error
			if err := checkText([]byte(tt.body)); err != nil && !errors.As(err, &found) {
				t.Fatal(err)
			}
			var got []string
			if found != nil {
				for _, v := range found.Errors {
					got = append(got, v.Pointer)
				}
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") || len(got) != len(tt.want) {
				t.Errorf("it points at %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzWithNameGivesTheSameObjectWithAName(f *testing.F) {
	for _, seed := range []string{`{}`, ` {"a":1}`, `{"a":{"b":[]}}`, "\n\t{ }\n", `null`, `[]`, `"{"`, `{"a":1}{`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var before map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &before) != nil || before == nil || before["name"] != nil {
			if got := withName([]byte(body), "n"); before == nil && string(got) != body {
				t.Fatalf("%q isn't an object, and became %q", body, got)
			}
			return
		}
		var after map[string]json.RawMessage
		if err := json.Unmarshal(withName([]byte(body), "orders"), &after); err != nil {
			t.Fatalf("%q became %q: %v", body, withName([]byte(body), "orders"), err)
		}
		if string(after["name"]) != `"orders"` || len(after) != len(before)+1 {
			t.Fatalf("%q became %v", body, after)
		}
	})
}
