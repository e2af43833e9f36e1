package effects

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWhatTheWAFNoLongerLooksAtIsSaid(t *testing.T) {
	exclusion := func(fields string) string {
		return `{"services":[{"name":"s","upstream":{"targets":[{"address":"a:80"}]}}],"routes":[{"name":"r","service":"s","public":true,"paths":[{"prefix":"/"}]}],` +
			`"waf-exclusions":[{"name":"x","route":"r","owner":"ann","expires_at":"2026-12-24T12:00:00Z",` + fields + `}]}`
	}
	none := strings.Replace(exclusion(`"rule":1`), `{"name":"x","route":"r","owner":"ann","expires_at":"2026-12-24T12:00:00Z","rule":1}`, "", 1)
	const narrow, shadow = `"rule":942100,"target":"argument:comment","mode":"enforce"`, `"rule":942100,"target":"argument:comment"`
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"one comes in shadow": {none, exclusion(shadow), []string{
			`info exclusion_shadowed The rule 942100 would no longer look at argument:comment on the route "r": until 2026-12-24 12:00 UTC what would pass is noted, and nothing does.`,
		}},
		"it is enforced":   {exclusion(shadow), exclusion(narrow), []string{`attention exclusion_opened The rule 942100 no longer looks at argument:comment on the route "r", until 2026-12-24 12:00 UTC.`}},
		"it goes":          {exclusion(narrow), none, []string{`attention exclusion_closed The rule 942100 looks at argument:comment again on the route "r".`}},
		"a wide one comes": {none, exclusion(`"tag":"attack-sqli","target":"argument:*","mode":"enforce"`), []string{`danger exclusion_opened The rules with the tag "attack-sqli" no longer look at argument:* on the route "r", until 2026-12-24 12:00 UTC.`}},
		"another target": {exclusion(narrow), exclusion(strings.Replace(narrow, "comment", "name", 1)), []string{
			`attention exclusion_closed The rule 942100 looks at argument:comment again on the route "r".`,
			`attention exclusion_opened The rule 942100 no longer looks at argument:name on the route "r", until 2026-12-24 12:00 UTC.`,
		}},
		"it holds for longer": {exclusion(narrow), strings.Replace(exclusion(narrow), "12-24", "12-25", 1), []string{`attention exclusion_prolonged The exclusion "x" (argument:comment) holds for longer on the route "r": until 2026-12-25 12:00 UTC.`}},
		"it holds less long":  {exclusion(narrow), strings.Replace(exclusion(narrow), "12-24", "12-23", 1), []string{`info exclusion_shortened The exclusion "x" (argument:comment) holds less long on the route "r": until 2026-12-23 12:00 UTC.`}},
		"another name alone":  {exclusion(narrow), exclusion(narrow + `,"description":"since the form quotes SQL"`), nil},
	} {
		var got []string
		for _, e := range between(t, c.before, c.after) {
			got = append(got, fmt.Sprintf("%s %s %s", e.Severity, e.Code, e.Sentence))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}
