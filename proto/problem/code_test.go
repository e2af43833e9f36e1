package problem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var snakeCase = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

func TestEveryCodeIsUniqueSnakeCaseAndDocumented(t *testing.T) {
	seen := map[Code]bool{}
	for _, d := range Definitions() {
		if seen[d.Code] {
			t.Errorf("%s is defined twice", d.Code)
		}
		seen[d.Code] = true
		if !snakeCase.MatchString(string(d.Code)) {
			t.Errorf("%q is not snake_case", d.Code)
		}
		if d.Status < 400 || d.Status > 599 || http.StatusText(d.Status) == "" {
			t.Errorf("%s: %d is no error status", d.Code, d.Status)
		}
		if d.Title == "" || len(d.Title) > 60 || strings.HasSuffix(d.Title, ".") {
			t.Errorf("%s: title %q is not a short title", d.Code, d.Title)
		}
		if !strings.HasSuffix(d.Description, ".") {
			t.Errorf("%s: description %q is no sentence", d.Code, d.Description)
		}
	}
}

func TestEveryViolationCodeIsUniqueSnakeCaseAndDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range ViolationDefinitions() {
		if seen[d.Code] {
			t.Errorf("%s is defined twice", d.Code)
		}
		seen[d.Code] = true
		if !snakeCase.MatchString(d.Code) {
			t.Errorf("%q is not snake_case", d.Code)
		}
		if !strings.HasSuffix(d.Description, ".") {
			t.Errorf("%s: description %q is no sentence", d.Code, d.Description)
		}
	}
}

// A constant without a definition would be shown as Internal.
func TestEveryConstantIsDefined(t *testing.T) {
	for _, value := range constantsOf(t, "codes.go") {
		if _, ok := Lookup(Code(value)); !ok {
			t.Errorf("code %q has no definition", value)
		}
	}
	defined := map[string]bool{}
	for _, d := range ViolationDefinitions() {
		defined[d.Code] = true
	}
	for _, value := range constantsOf(t, "violation.go") {
		if !defined[value] {
			t.Errorf("violation code %q has no definition", value)
		}
	}
}

func TestUndefinedCodeIsInternal(t *testing.T) {
	if _, ok := Lookup("no_such_code"); ok {
		t.Fatal("Lookup found an undefined code")
	}
	if p := New("no_such_code", ""); p.Code != Internal || p.Status != 500 {
		t.Fatalf("New gave %s, %d", p.Code, p.Status)
	}
}

func TestDefinitionsCannotBeChangedThroughTheirList(t *testing.T) {
	Definitions()[0].Code = "changed"
	ViolationDefinitions()[0].Code = "changed"
	if Definitions()[0].Code == "changed" || ViolationDefinitions()[0].Code == "changed" {
		t.Fatal("the list is shared")
	}
}

// constantsOf returns the values of the string constants that a file of this package declares.
func constantsOf(t *testing.T, file string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(tree, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, spec := range decl.Specs {
			for _, v := range spec.(*ast.ValueSpec).Values {
				value, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
		}
		return false
	})
	if len(values) == 0 {
		t.Fatalf("%s declares no constants", file)
	}
	return values
}
