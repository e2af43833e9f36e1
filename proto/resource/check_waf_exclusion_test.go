package resource

import (
	"encoding/json"
	"maps"
	"testing"
)

func TestAnExclusionNamesRulesThatFindSomethingAndAPartOfRequests(t *testing.T) {
	t.Parallel()
	type fields map[string]any
	for name, tt := range map[string]struct {
		fields fields
		want   []string
	}{
		"a rule and an argument":                {fields{"rule": 942100, "target": "argument:comment"}, nil},
		"a tag and all cookies":                 {fields{"tag": "attack-sqli", "target": "cookie:*"}, nil},
		"a rule of one's own":                   {fields{"rule": 10_001, "target": "header:X-Query"}, nil},
		"members of a JSON body":                {fields{"rule": 942100, "target": "argument:json.items.*.note"}, nil},
		"a rule that isn't":                     {fields{"rule": 942101000, "target": "body"}, nil}, // it may be one's own
		"a number of the Core Rule Set's":       {fields{"rule": 942999, "target": "body"}, []string{"/rule invalid_value"}},
		"a rule that keeps the score":           {fields{"rule": 949110, "target": "body"}, []string{"/rule invalid_value"}},
		"a rule that sets up":                   {fields{"rule": 901100, "target": "body"}, []string{"/rule invalid_value"}},
		"a tag that no rule has":                {fields{"tag": "attack-of-nobody", "target": "body"}, []string{"/tag invalid_value"}},
		"neither rule nor tag":                  {fields{"target": "body"}, []string{" required"}},
		"a part that isn't":                     {fields{"rule": 942100, "target": "argumint:comment"}, []string{"/target invalid_value"}},
		"a part in which no rule finds a thing": {fields{"rule": 942100, "target": "method"}, []string{"/target invalid_value"}},
		"a name of nothing":                     {fields{"rule": 942100, "target": "argument:"}, []string{"/target invalid_value"}},
		"no end":                                {fields{"rule": 942100, "target": "body", "expires_at": nil}, []string{"/expires_at required"}},
		"nobody's":                              {fields{"rule": 942100, "target": "body", "owner": ""}, []string{"/owner too_short"}},
	} {
		body := map[string]any{"name": "x", "route": "orders", "owner": "ann", "expires_at": "2026-12-24T12:00:00Z"}
		maps.Copy(body, tt.fields)
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { validated(t, "waf-exclusions", string(text), tt.want...) })
	}
}
