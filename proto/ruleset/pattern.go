package ruleset

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// MaxPattern is how much a regular expression may cost: about how many states its program has.
const MaxPattern = 4000

// MaxPatterns is how much those of one policy may cost together, typed ones and raw ones each.
const MaxPatterns = 10 * MaxPattern

// quotePattern writes a text as a pattern that matches it and nothing else. Whatever isn't a letter or digit of ASCII is an escape, so that nothing
// in it means anything to SecLang; what is beyond ASCII means nothing to it anyway.
func quotePattern(text string) string {
	var quoted strings.Builder
	for i := range len(text) {
		if c := text[i]; isWord(c) || c >= 0x80 {
			quoted.WriteByte(c)
		} else {
			fmt.Fprintf(&quoted, `\x%02x`, c)
		}
	}
	return quoted.String()
}

// rewritePattern reads a regular expression (RE2) and writes it anew: "." matches line ends too, so that nothing hides behind one, "^" and "$" are the text's
// begin and end, whatever flags the engine sets, and nothing that means anything to SecLang is left.
func rewritePattern(text string, ignoreCase bool) (string, error) {
	flags := syntax.Perl | syntax.DotNL
	if ignoreCase {
		flags |= syntax.FoldCase
	}
	pattern, err := syntax.Parse(text, flags)
	if err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if size := patternSize(pattern); size > MaxPattern {
		return "", fmt.Errorf("costs too much: about %d states, of %d at most; repeat less", size, MaxPattern)
	}
	// String escapes what means anything to a pattern, and line ends. A double quote is never behind a backslash that escapes it.
	written := strings.NewReplacer(" ", `\x20`, `"`, `\x22`, "`", `\x60`, "'", `\x27`, "#", `\x23`).Replace(pattern.String())
	if written == "" {
		written = "(?:)"
	}
	return written, nil
}

// PatternCost is what the pattern of a condition costs; an error if it isn't one, or costs too much.
func PatternCost(text string) (int, error) {
	if _, err := rewritePattern(text, false); err != nil {
		return 0, err
	}
	return patternCost(text)
}

// patternCost is what a regular expression costs; an error if it isn't one. Engines compile with flags that don't change it.
func patternCost(text string) (int, error) {
	pattern, err := syntax.Parse(text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return 0, errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return patternSize(pattern), nil
}

// patternSize estimates how many states the program of a pattern has, once repetitions are written out.
func patternSize(pattern *syntax.Regexp) int {
	const most = 1 << 24
	size := 1
	switch pattern.Op {
	case syntax.OpLiteral:
		size = len(pattern.Rune)
	case syntax.OpCharClass:
		size = 1 + len(pattern.Rune)/16
	case syntax.OpRepeat:
		times := max(pattern.Max, pattern.Min+1, 1)
		return min(most, times*(patternSize(pattern.Sub[0])+1))
	}
	for _, sub := range pattern.Sub {
		size = min(most, size+patternSize(sub))
	}
	return size
}
