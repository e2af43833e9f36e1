package headers

import (
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestAValueIsTakenApart(t *testing.T) {
	for value, want := range map[string][]Piece{
		"":                         nil,
		"a b":                      {{Text: "a b"}},
		"{{a}}":                    {{Text: "{a}"}},
		"{{{request.id}}}":         {{Text: "{"}, {Variable: RequestID}, {Text: "}"}},
		"{consumer.metadata.a.b}":  {{Variable: ConsumerMetadata, Text: "a.b"}},
		"x{param.id}{header.A-B}y": {{Text: "x"}, {Variable: Param, Text: "id"}, {Variable: Header, Text: "A-B"}, {Text: "y"}},
	} {
		got, err := Parse(value)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
}

func TestAnErrorTellsWhere(t *testing.T) {
	for value, want := range map[string]string{
		"{nobody}":                      `at character 2: there is no variable "nobody"`,
		"ab{request.ids}":               `at character 4: there is no variable "request.ids"`,
		"ab}":                           `at character 3: "}" without "{"`,
		"{request.id":                   `at character 1: "{" without "}"`,
		"a\nb":                          "at character 2: a value is of visible ASCII",
		"{param.}":                      "at character 2: ",
		"{header.X_Sallyport_Consumer}": "at character 2: the client's own field",
		"{header." + strings.Repeat("a", 129) + "}": "at character 2: ",
		"{param.a\rb}": "at character 2: ",
	} {
		if _, err := Parse(value); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestEveryVariableCanBeWritten(t *testing.T) {
	for v := RequestID; int(v) < len(variables); v++ {
		text, name := variables[v], ""
		if v.takesName() {
			name = "name"
		}
		got, err := Parse("{" + text + name + "}")
		if err != nil || len(got) != 1 || got[0] != (Piece{Variable: v, Text: name}) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if !strings.Contains(Names(), text) {
			t.Errorf("%s isn't told of", text)
		}
	}
}

func TestTwinsOfRefusedNamesAreRefused(t *testing.T) {
	for _, name := range []string{"X-Sallyport-Consumer", "x_sallyport_consumer", "X.Forwarded.For", "HOST", "Content_Length", "x-http-method-override"} {
		if Refused(Request, name) == "" {
			t.Errorf("%s may be changed", name)
		}
	}
	for _, name := range []string{"X-Tenant", "Authorization", "X-Sallyport", "Hostess", "Cookie"} {
		if why := Refused(Request, name); why != "" {
			t.Errorf("%s may not be changed: %s", name, why)
		}
	}
	if Refused(Response, "Server") != "" || Refused(Response, "Location") != "" || Refused(Response, "transfer_encoding") == "" {
		t.Error("on answers other names are refused than should be")
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.Headers{
		nil,
		{},
		{Request: &policyv1.HeaderChanges{}},
		{Request: &policyv1.HeaderChanges{Set: []*policyv1.HeaderField{nil, {}}, Remove: []string{""}, Add: []*policyv1.HeaderField{nil}}},
	} {
		for _, v := range Kind.Validate(config) {
			if !strings.HasPrefix(v.Pointer, "/request/set/1/name") { // two nameless ones
				t.Errorf("%v: %+v", config, v)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "{request.id}", "{{}}", "a{header.X}b", "{", "}", "{param.\x00}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		pieces, err := Parse(value)
		if err != nil {
			return
		}
		for _, p := range pieces {
			if p.Variable == Literal && (p.Text == "" || strings.ContainsFunc(p.Text, func(r rune) bool { return r < ' ' || r > '~' })) {
				t.Fatalf("%q has the literal %q", value, p.Text)
			}
		}
	})
}
