package expression

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

const (
	// MaxText is how many characters an expression has at most; the .proto files say the same.
	MaxText = 4096
	// MaxNesting is how deep an expression's parentheses, lists and calls may be nested.
	MaxNesting = 32
	// maxPattern bounds the text of a regular expression.
	maxPattern = 256
)

// Bounds are what one evaluation may cost, in CEL's units (a step, or ten characters looked at).
type Bounds struct {
	Cost  uint64 // at worst, were each list of Items and each text of Text
	Items uint64
	Text  uint64
	// Pattern is how many instructions a regular expression is compiled to at most: each character looked at may take as many steps.
	Pattern int
}

// Checked is an expression that may be evaluated.
type Checked struct {
	AST   *cel.Ast
	Cost  uint64 // at worst
	Loops bool   // it walks over lists or maps
}

// Check reads an expression, which its author knows as what ("rule"). The error says what is wrong in words for them.
func Check(env *cel.Env, what, text string, bounds Bounds) (Checked, error) {
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		return Checked{}, errors.New(reasons(issues))
	}
	if !parsed.OutputType().IsExactType(types.BoolType) {
		return Checked{}, fmt.Errorf("the %s must be true or false, not of type %s", what, parsed.OutputType())
	}
	if err := checkPatterns(parsed.NativeRep(), bounds.Pattern); err != nil {
		return Checked{}, err
	}
	cost, err := env.EstimateCost(parsed, sizes(bounds))
	if err != nil {
		return Checked{}, fmt.Errorf("the %s's cost can't be estimated: %w", what, err)
	}
	if cost.Max > bounds.Cost {
		return Checked{}, fmt.Errorf("the %s could cost too much: nest fewer loops, or look at fewer things in them", what)
	}
	return Checked{AST: parsed, Cost: cost.Max, Loops: loops(parsed.NativeRep())}, nil
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

func loops(parsed *ast.AST) bool {
	found := false
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) { found = found || e.Kind() == ast.ComprehensionKind }))
	return found
}

// Calls visits every call of an expression until one is found wrong.
func Calls(parsed *ast.AST, visit func(ast.CallExpr) error) error {
	var failed error
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if failed == nil && e.Kind() == ast.CallKind {
			failed = visit(e.AsCall())
		}
	}))
	return failed
}

// Text returns a text that stands in quotes; false: it is something else.
func Text(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().Value().(string)
	return text, ok
}

// checkPatterns refuses regular expressions that could take long: no deadline stops one.
func checkPatterns(parsed *ast.AST, most int) error {
	return Calls(parsed, func(call ast.CallExpr) error {
		if call.FunctionName() != "matches" {
			return nil
		}
		args := call.Args()
		text, ok := Text(args[len(args)-1])
		if !ok {
			return errors.New("the pattern of matches must be a text in quotes")
		}
		return checkPattern(text, most)
	})
}

func checkPattern(text string, most int) error {
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
	if len(program.Inst) > most {
		return errors.New("the pattern of matches is too large: repeat less in it")
	}
	return nil
}

// sizes estimates what CEL can't know of an expression's variables.
type sizes Bounds

// EstimateSize is asked for lists, maps and texts.
func (s sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &checker.SizeEstimate{Max: s.Text}
	default:
		return &checker.SizeEstimate{Max: s.Items}
	}
}

// EstimateCallCost leaves the costs of calls to CEL.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
