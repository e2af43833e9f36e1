package openapi

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

const (
	// maxPattern is how many bytes a regular expression has at the most.
	maxPattern = 1024
	// maxInstructions is to how many instructions it may be compiled: each character looked at may take as many steps.
	maxInstructions = 5_000
)

// pattern is a regular expression (RE2) that a schema has.
type pattern struct {
	*regexp.Regexp
	instructions int
}

func compilePattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("a pattern has at most %d bytes, not %d", maxPattern, len(text))
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("patterns are RE2's, which takes time in proportion to the text: %w", err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("the pattern: %w", err)
	}
	if len(program.Inst) > maxInstructions {
		return nil, fmt.Errorf("the pattern is too large: repeat less in it (%d instructions, at most %d)", len(program.Inst), maxInstructions)
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the pattern: %w", err)
	}
	return &pattern{Regexp: compiled, instructions: len(program.Inst)}, nil
}

// translatePattern writes ECMAScript's \uXXXX as RE2 has it; all else that both know, they write alike.
func translatePattern(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		if text[i+1] == 'u' && i+6 <= len(text) && isHex(text[i+2:i+6]) {
			b.WriteString(`\x{` + text[i+2:i+6] + `}`)
			i += 5
			continue
		}
		b.WriteString(text[i : i+2])
		i++
	}
	return b.String()
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
