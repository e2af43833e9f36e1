package guardrail

import (
	"context"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"

	"github.com/sallyport/sallyport/proto/expression"
)

// Variables of a rule.
const (
	Object    = "object"    // the object itself
	Service   = "service"   // of a route: the service that it belongs to
	Effective = "effective" // of a route: the policies that apply, in the order in which they run
	Public    = "public"    // of a route: no enforced policy asks who calls
)

const (
	// maxCost is what one evaluation may cost, in CEL's units (a step, or ten characters looked at): some ten milliseconds.
	maxCost = 100_000
	// maxEstimate is what an evaluation may cost at worst, were each list of estimatedItems and each text of estimatedText.
	maxEstimate    = 20_000_000
	estimatedItems = 64
	estimatedText  = 256
	// maxProgram bounds what a regular expression is compiled to.
	maxProgram = 1000
	// checkEvery is after how many steps of a comprehension an evaluation looks at its deadline.
	checkEvery = 100
)

// Rule is a compiled rule. It is immutable and safe for concurrent use.
type Rule struct {
	program cel.Program
	uses    map[string]bool
}

// Compile reads a rule over the objects of a collection. Its error says what is wrong in words for the rule's author.
func Compile(collection, text string) (*Rule, error) {
	env, err := environmentOf(collection)
	if err != nil {
		return nil, err
	}
	checked, err := expression.Check(env, "rule", text, expression.Bounds{Cost: maxEstimate, Items: estimatedItems, Text: estimatedText, Pattern: maxProgram})
	if err != nil {
		return nil, err
	}
	program, err := env.Program(checked.AST, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, fmt.Errorf("the rule can't be made ready: %w", err)
	}
	return &Rule{program: program, uses: variablesOf(checked.AST.NativeRep())}, nil
}

// Uses tells whether a rule looks at a variable.
func (r *Rule) Uses(variable string) bool { return r.uses[variable] }

// Holds tells whether a rule holds. A variable's value may be a func() any, which is called when it is looked at. An error
// says that it can't be told: a field that isn't there, too many steps, a deadline.
func (r *Rule) Holds(ctx context.Context, variables map[string]any) (bool, error) {
	result, _, err := r.program.ContextEval(ctx, variables)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return false, err
	}
	held, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the rule comes to a %s, neither true nor false", result.Type().TypeName())
	}
	return held, nil
}

// variablesOf returns the variables that a rule names. One that a loop hides is counted all the same.
func variablesOf(parsed *ast.AST) map[string]bool {
	uses := make(map[string]bool)
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind {
			uses[strings.TrimPrefix(e.AsIdent(), ".")] = true
		}
	}))
	return uses
}
