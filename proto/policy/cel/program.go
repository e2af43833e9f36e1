package cel

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sallyport/sallyport/proto/expression"
	"github.com/sallyport/sallyport/proto/ranges"
)

const (
	// MaxText is how many bytes a text of a request may have for an expression to look at it.
	MaxText = 8192
	// maxItems is how many entries a list or map is taken to have at most.
	maxItems = 256
	// maxCost is what one evaluation may cost, in CEL's units: less than a millisecond.
	maxCost = 20_000
	// maxEstimate is what an evaluation may cost at worst if it is counted while it runs, and ended at maxCost.
	maxEstimate = 5_000_000
	// maxProgram bounds what a regular expression is compiled to: with MaxText, a few milliseconds at the very worst.
	maxProgram = 200
	// maxRanges is how many ranges one call of inside may name; for more there is address-access.
	maxRanges = 64
	// insideFunction tells whether the client is in a range.
	insideFunction = "inside"
)

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct{ program cel.Program }

// Compile reads an expression. Its error says what is wrong in words for the expression's author.
func Compile(text string) (*Program, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, err := expression.Check(env, "expression", text, expression.Bounds{Cost: maxEstimate, Items: maxItems, Text: MaxText, Pattern: maxProgram})
	if err != nil {
		return nil, err
	}
	if err := expression.Calls(checked.AST.NativeRep(), checkCall); err != nil {
		return nil, err
	}
	if err := checkPresence(checked.AST.NativeRep()); err != nil {
		return nil, err
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if checked.Loops || checked.Cost > maxCost {
		options = append(options, cel.CostLimit(maxCost))
	}
	program, err := env.Program(checked.AST, options...)
	if err != nil {
		return nil, fmt.Errorf("the expression can't be made ready: %w", err)
	}
	return &Program{program: program}, nil
}

// checkCall refuses calls whose arguments must be constants and aren't, or aren't good.
func checkCall(call ast.CallExpr) error {
	switch name := call.FunctionName(); {
	case name == insideFunction:
		return checkRanges(call.Args()[0])
	case strings.HasPrefix(name, "get") && call.IsMemberFunction() && len(call.Args()) == 1:
		return checkZone(call.Args()[0])
	}
	return nil
}

// checkPresence refuses has() of an object's field, which is always there: it would be true, whatever its author hoped.
func checkPresence(parsed *ast.AST) error {
	var failed error
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind || !e.AsSelect().IsTestOnly() {
			return
		}
		if _, object := fields[parsed.GetType(e.AsSelect().Operand().ID()).TypeName()]; object {
			failed = fmt.Errorf(`has() asks for entries of maps and claims; %s is always there, maybe empty: compare it with ""`, e.AsSelect().FieldName())
		}
	}))
	return failed
}

var errRanges = errors.New(`inside takes a range in quotes, or a list of them: client.inside("10.0.0.0/8")`)

func checkRanges(given ast.Expr) error {
	list := []ast.Expr{given}
	if given.Kind() == ast.ListKind {
		list = given.AsList().Elements()
	}
	if len(list) == 0 || len(list) > maxRanges {
		return fmt.Errorf("inside takes 1 to %d ranges, not %d; for more there is the kind address-access", maxRanges, len(list))
	}
	for _, e := range list {
		text, ok := expression.Text(e)
		if !ok {
			return errRanges
		}
		if flaw := ranges.Flaw(text); flaw != "" {
			return fmt.Errorf("the range %q of inside %s", text, flaw)
		}
	}
	return nil
}

var zone = regexp.MustCompile(`^(UTC|[+-](0\d|1[0-4]):[0-5]\d)$`)

func checkZone(given ast.Expr) error {
	if text, ok := expression.Text(given); !ok || !zone.MatchString(text) {
		return errors.New(`a time zone is an offset in quotes, "+01:00", or "UTC"`)
	}
	return nil
}

// Holds tells whether an expression is true of the variables. The error says that it can't be told; see [Why].
func (p *Program) Holds(variables cel.Activation) (bool, error) {
	result, err := p.eval(variables)
	if err != nil {
		return false, err
	}
	return result == types.True, nil
}

func (p *Program) eval(variables cel.Activation) (ref.Val, error) {
	result, _, err := p.program.Eval(variables)
	return result, err
}

// Why says in a few words, which hold nothing of the request, why an expression couldn't be told.
func Why(err error) string {
	text := err.Error()
	for _, known := range [...]struct{ part, words string }{
		{"no such key", "it asks for something that isn't there"},
		{"index out of bounds", "it asks for something that isn't there"},
		{"no such overload", "it compares or joins what doesn't go together"},
		{"cost limit", "it takes too many steps"},
		{tooLong, "a text that it looks at is " + tooLong},
		{"division by zero", "it divides by zero"},
	} {
		if strings.Contains(text, known.part) {
			return known.words
		}
	}
	return "it fails"
}

const tooLong = "too long to be judged"

// Text is the value of a text of a request.
func Text(s string) ref.Val {
	if len(s) > MaxText {
		return types.NewErr(tooLong)
	}
	return types.String(s)
}
