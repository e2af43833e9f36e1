package expression_test

import (
	"strings"
	"testing"

	"cel.dev/cel-go/cel"

	"github.com/sallyport/sallyport/proto/expression"
)

func TestAnExpressionIsBoundedWhenItIsWritten(t *testing.T) {
	env, err := cel.NewEnv(cel.Variable("text", cel.StringType), cel.Variable("list", cel.ListType(cel.StringType)))
	if err != nil {
		t.Fatal(err)
	}
	bounds := expression.Bounds{Cost: 2000, Items: 10, Text: 100, Pattern: 20}
	for text, want := range map[string]string{
		`text == "a"`:               "",
		`list.exists(a, a == text)`: "",
		`text.matches("^a+$")`:      "",
		`text`:                      "the rule must be true or false, not of type string",
		`text == 3`:                 "no matching overload",
		`nobody == 3`:               "undeclared reference",
		`list.all(a, list.all(b, list.all(c, a + b == c)))`: "the rule could cost too much",
		`text.matches(text)`:                               "the pattern of matches must be a text in quotes",
		`text.matches("a{30}")`:                            "too large",
		`text.matches("(")`:                                "the pattern of matches",
		`text.matches("` + strings.Repeat("a", 300) + `")`: "at most 256 bytes, not 300",
	} {
		checked, err := expression.Check(env, "rule", text, bounds)
		if want == "" {
			if err != nil || checked.Cost == 0 || checked.Cost > bounds.Cost || checked.Loops != strings.Contains(text, "exists") {
				t.Errorf("%s: %+v, %v", text, checked, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", text, err, want)
		}
	}
}
