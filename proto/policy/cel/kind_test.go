package cel

import (
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestAnExpressionThatIsNoneIsRefusedWhenItIsWritten(t *testing.T) {
	many := `"10.0.0.0/8"` + strings.Repeat(`, "10.0.0.0/8"`, maxRanges)
	for text, want := range map[string]string{
		`request.`:                                                   "Syntax error",
		`request.verb == "GET"`:                                      "undefined field 'verb'",
		`user.name == "x"`:                                           "undeclared reference",
		`request.method`:                                             "must be true or false",
		`claims.admin`:                                               "must be true or false",
		`request.method == 3`:                                        "no matching overload",
		`consumer.scopes == "a"`:                                     "no matching overload",
		`now > "2030-01-01"`:                                         "no matching overload",
		`request.path.matches(request.query.x)`:                      "must be a text in quotes",
		`request.path.matches("(a")`:                                 "missing closing )",
		`request.path.matches("(abcdefgh){30}")`:                     "too large",
		`client.inside(request.query.x)`:                             "inside takes a range in quotes",
		`client.inside("10.0.0.1")`:                                  "must be a range",
		`client.inside("10.0.0.1/8")`:                                "canonical form, 10.0.0.0/8",
		`client.inside(["10.0.0.0/8", "x"])`:                         "must be an address range",
		`client.inside(["10.0.0.0/8", request.path])`:                "inside takes a range in quotes",
		`client.inside([])`:                                          "1 to 64",
		`client.inside([` + many + `])`:                              "1 to 64",
		`request.inside("10.0.0.0/8")`:                               "no matching overload",
		`now.getHours("Europe/Berlin") > 6`:                          "time zone is an offset",
		`now.getHours(request.query.zone) > 6`:                       "time zone is an offset",
		`claims.all(a, claims.all(b, claims.all(c, a + b == c)))`:    "cost too much",
		strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500): "recursion",
		`has(request.path)`:                                          "asks for entries of maps",
		`true || has(consumer.name)`:                                 "asks for entries of maps",
		`Request{method: "x"}.method == "x" && client == client.x`:   "undefined field",
	} {
		if _, err := Compile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, not %q", text, err, want)
		}
		if n := len(Kind.Validate(&policyv1.Cel{Expression: text})); n != 1 {
			t.Errorf("%.60s: %d violations", text, n)
		}
	}
	for _, config := range []*policyv1.Cel{nil, {}, {Expression: strings.Repeat("!", 5*maxExpression)}} {
		if violations := Kind.Validate(config); len(violations) != 0 {
			t.Errorf("%.40v is told of twice: %v", config, violations)
		}
	}
}

func TestOnlyWhatHasLoopsOrCouldBeLargeIsCounted(t *testing.T) {
	for text, want := range map[string]bool{
		`"orders:write" in consumer.scopes && request.method == "POST"`:                                false,
		`claims.tenant == request.params.tenant`:                                                       false,
		`claims.groups.exists(g, g == "a")`:                                                            true,
		strings.Repeat(`request.path.matches("[a-z]*[0-9]*[a-z]*[0-9]*[a-z]*[0-9]*") && `, 9) + "true": true,
	} {
		p, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		_, details, err := p.program.Eval(known{policy.Caller{}})
		if counted := details != nil; counted != want {
			t.Errorf("%.60s is counted: %v, %v", text, counted, err)
		}
	}
}

func TestWhoPassesIsToldWhereItDoesNotDependOnTheRequest(t *testing.T) {
	key := policy.Caller{Consumer: "con_a", Labels: map[string]string{"tier": "gold"}, Method: "POST", Scopes: []string{"write"}}
	token := policy.Caller{Consumer: "con_a", Labels: map[string]string{"tier": "gold"}, Method: "POST", Token: true}
	const never, depends, admits = policy.Never, policy.Depends, policy.Admits
	for text, want := range map[string][2]policy.Admission{
		`true`:                        {admits, admits},
		`1 / 0 == 0`:                  {never, never},
		`request.method == "POST"`:    {admits, admits},
		`request.method == "GET"`:     {never, never},
		`"write" in consumer.scopes`:  {admits, depends},
		`"read" in consumer.scopes`:   {never, depends},
		`consumer.id == "con_a"`:      {admits, admits},
		`consumer.name == "a"`:        {depends, depends},
		`consumer.labels.tier == "x"`: {never, never},
		`claims.tenant == "a"`:        {never, depends},
		`has(claims.tenant)`:          {never, depends},
		`!has(claims.tenant)`:         {admits, depends},
		`"read" in consumer.scopes && request.path == "/a"`: {never, depends},
		`request.path == "/a" || request.method == "POST"`:  {admits, admits},
		`has(request.headers.x)`:                            {depends, depends},
		`!has(request.headers.x)`:                           {depends, depends},
		`"x" in request.headers`:                            {depends, depends},
		`request.query.all(k, k == "a")`:                    {depends, depends},
		`claims.groups.exists(g, g == "a")`:                 {never, depends},
		`client.inside("10.0.0.0/8")`:                       {depends, depends},
		`now < timestamp("2030-01-01T00:00:00Z")`:           {depends, depends},
		`size(request.headers) > 3`:                         {depends, depends},
		`request.params.a.matches("^a$") ? true : false`:    {depends, depends},
	} {
		judge := Kind.Admits(&policyv1.Cel{Expression: text})
		if got := [2]policy.Admission{judge(key), judge(token)}; got != want {
			t.Errorf("%s: %v, not %v", text, got, want)
		}
	}
	if Kind.Admits(&policyv1.Cel{Expression: "x"})(key) != never {
		t.Error("what can't be compiled lets pass")
	}
}

func TestTheExpressionIsTold(t *testing.T) {
	config := &policyv1.Cel{Expression: "claims.tenant ==\n  request.params.tenant", Message: "own orders only"}
	said := Kind.Access(config, nil)
	if len(said) != 1 || said[0].Text != "Requests pass only if this is true: claims.tenant == request.params.tenant (own orders only)." || said[0].Values[0] != config.GetExpression() {
		t.Errorf("%+v", said)
	}
	long := Kind.Access(&policyv1.Cel{Expression: strings.Repeat("é", 300)}, nil)[0].Text
	if !strings.HasSuffix(long, "é….") || len([]rune(long)) > 250 {
		t.Errorf("%s", long)
	}
	other := &policyv1.Cel{Expression: "false"}
	for want, effects := range map[string][]policy.Effect{
		"attention expression_required: requests pass only if this is true: false":                                              Kind.Effects(nil, other),
		"danger expression_dropped: requests pass without this being true: false":                                               Kind.Effects(other, nil),
		"danger expression_changed: requests pass only if this is true: false (it was: claims.tenant == request.params.tenant)": Kind.Effects(config, other),
	} {
		if len(effects) != 1 || fmt.Sprintf("%s %s: %s", effects[0].Severity, effects[0].Code, effects[0].Text) != want {
			t.Errorf("%+v, not %s", effects, want)
		}
	}
	if n := len(Kind.Effects(config, config)) + len(Kind.Effects(nil, nil)); n != 0 {
		t.Errorf("%d effects of nothing", n)
	}
}

func TestWhyAnExpressionCouldNotBeToldSaysNothingOfTheRequest(t *testing.T) {
	for text, want := range map[string]string{
		`claims.tenant == "a"`:                       "it asks for something that isn't there",
		`dyn(request.method) > 3`:                    "it compares or joins what doesn't go together",
		`1 / 0 == 1`:                                 "it divides by zero",
		`int(request.method) == 1`:                   "it fails",
		`timestamp(request.method) == now`:           "it fails",
		`[1, 2][5] == 1`:                             "it asks for something that isn't there",
		`[1].map(a, [a, a, a]).exists(b, b[3] == 1)`: "it asks for something that isn't there",
	} {
		p, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Holds(known{policy.Caller{Method: "secret"}})
		if err == nil || Why(err) != want || strings.Contains(Why(err), "secret") {
			t.Errorf("%s: %v: %s", text, err, Why(err))
		}
	}
	if v, isError := Text(strings.Repeat("a", MaxText+1)).(*types.Err); !isError || Why(v) != "a text that it looks at is too long to be judged" {
		t.Error("a text that is too long is judged")
	}
}

// FuzzCompile looks for expressions that crash the compiler or the evaluation, or that cost more than they may.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`"orders:write" in consumer.scopes && request.method == "POST"`, `claims.tenant == request.params.tenant`, `client.inside(["10.0.0.0/8"])`,
		`request.path.matches("^a+$")`, `now.getHours("+01:00") > 6`, `claims.groups.exists(g, g == "a")`, `[1,2].map(x, x*2) == []`, `has(claims.a.b)`, `"\u0000"`,
		`consumer == consumer`, `dyn(request) == dyn(client)`, `type(request) == type(client)`, `{request: 1}.size() == 1`, `string(client.address) in ["a"]`,
	} {
		f.Add(text)
	}
	caller := policy.Caller{Consumer: "con_a", Labels: map[string]string{"a": "b"}, Method: "GET", Scopes: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, text string) {
		violations := Kind.Validate(&policyv1.Cel{Expression: text})
		p, err := Compile(text)
		if err != nil {
			if len(violations) == 0 && text != "" && len(text) <= 4*maxExpression {
				t.Fatalf("%q passes, and can't be compiled: %v", text, err)
			}
			return
		}
		held, err := p.Holds(known{caller})
		if held && err != nil {
			t.Fatalf("%q is true, and can't be told: %v", text, err)
		}
		if err != nil && Why(err) == "" {
			t.Fatalf("%q: no reason for %v", text, err)
		}
		judge := Kind.Admits(&policyv1.Cel{Expression: text})
		if certain := judge(caller); held != (certain == policy.Admits) {
			t.Fatalf("%q: %v, and %s", text, held, certain)
		}
	})
}
