package guardrail

import (
	"context"
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
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
	// maxNesting is how deep a rule's parentheses, lists and calls may be nested.
	maxNesting = 32
	// maxPattern and maxProgram bound a regular expression: its text, and what it is compiled to.
	maxPattern = 256
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
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, errors.New(reasons(issues))
	}
	if !parsed.OutputType().IsExactType(types.BoolType) {
		return nil, fmt.Errorf("the rule must be true or false, not of type %s", parsed.OutputType())
	}
	if err := checkPatterns(parsed.NativeRep()); err != nil {
		return nil, err
	}
	cost, err := env.EstimateCost(parsed, sizes{})
	if err != nil {
		return nil, fmt.Errorf("the rule's cost can't be estimated: %w", err)
	}
	if cost.Max > maxEstimate {
		return nil, errors.New("the rule could cost too much: nest fewer loops, or look at fewer things in them")
	}
	program, err := env.Program(parsed, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery))
	if err != nil {
		return nil, fmt.Errorf("the rule can't be made ready: %w", err)
	}
	return &Rule{program: program, uses: variablesOf(parsed.NativeRep())}, nil
}

// reasons lists what the compiler found, on one line.
func reasons(issues *cel.Issues) string {
	const few = 3
	var texts []string
	for _, e := range issues.Errors() {
		if len(texts) == few {
			break
		}
		texts = append(texts, fmt.Sprintf("line %d, column %d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
	}
	return strings.ToValidUTF8(strings.Join(texts, "; "), "")
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

// checkPatterns refuses regular expressions that could take long: no deadline stops one.
func checkPatterns(parsed *ast.AST) error {
	var failed error
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if failed != nil || e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "matches" {
			return
		}
		args := e.AsCall().Args()
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			failed = errors.New("the pattern of matches must be a text in quotes")
			return
		}
		text, _ := pattern.AsLiteral().Value().(string)
		failed = checkPattern(text)
	}))
	return failed
}

func checkPattern(text string) error {
	if len(text) > maxPattern {
		return fmt.Errorf("a pattern of matches has at most %d bytes, not %d", maxPattern, len(text))
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the pattern of matches: %w", err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return fmt.Errorf("the pattern of matches: %w", err)
	}
	if len(program.Inst) > maxProgram {
		return errors.New("the pattern of matches is too large: repeat less in it")
	}
	return nil
}

// sizes estimates what CEL can't know of a rule's variables.
type sizes struct{}

// EstimateSize is asked for lists, maps and texts.
func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &checker.SizeEstimate{Max: estimatedText}
	default:
		return &checker.SizeEstimate{Max: estimatedItems}
	}
}

// EstimateCallCost leaves the costs of calls to CEL.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
