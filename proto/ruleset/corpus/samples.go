package corpus

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// Pattern is a regular expression of the Core Rule Set.
type Pattern struct {
	// Rule that has it, or the first of its chain.
	Rule int
	// Text of it, as the operator @rx gets it.
	Text string

	parsed  *syntax.Regexp
	matcher *regexp.Regexp
}

// Patterns returns all that are written in RE2's syntax without bytes beyond ASCII, in the order of the files.
func Patterns() []Pattern { return append([]Pattern(nil), patterns()...) }

var (
	// A rule of a chain is indented.
	directiveStart = regexp.MustCompile(`(?m)^\s*Sec`)

	ruleID     = regexp.MustCompile(`\bid:'?([0-9]+)`)
	rxOperator = regexp.MustCompile(`"!?@rx ((?:[^"\\]|\\.)*)"`)
)

var patterns = sync.OnceValue(func() []Pattern {
	names, err := fs.Glob(coreruleset.FS, "@owasp_crs/*.conf")
	if err != nil {
		panic(err) // a constant pattern
	}
	var all []Pattern
	for _, name := range names {
		text, err := fs.ReadFile(coreruleset.FS, path.Clean(name))
		if err != nil {
			panic(err) // it is compiled in
		}
		rule := 0
		for _, directive := range directiveStart.Split(string(text), -1) {
			if found := ruleID.FindStringSubmatch(directive); found != nil {
				_, _ = fmt.Sscan(found[1], &rule) // digits
			}
			if found := rxOperator.FindStringSubmatch(directive); found != nil {
				if p, ok := newPattern(rule, strings.ReplaceAll(found[1], `\"`, `"`)); ok {
					all = append(all, p)
				}
			}
		}
	}
	return all
})

// newPattern compiles a pattern as the engine does, save those of bytes, which it compiles in another way.
func newPattern(rule int, text string) (Pattern, bool) {
	parsed, err := syntax.Parse("(?sm)"+text, syntax.Perl)
	if err != nil || strings.Contains(text, `\x8`) || strings.Contains(text, `\xf`) {
		return Pattern{}, false
	}
	matcher, err := regexp.Compile("(?sm)" + text)
	return Pattern{Rule: rule, Text: text, parsed: parsed.Simplify(), matcher: matcher}, err == nil
}

// Samples returns up to n texts that the pattern matches, each in another way if there is one.
func (p *Pattern) Samples(n int) []string {
	var all []string
	seen := map[string]bool{}
	d := roll(p.Text, 0)
	for range 4 * n {
		var b strings.Builder
		grow(d, p.parsed, &b)
		text := b.String()
		if d.chance(2) {
			text = word(d) + " " + text + " " + word(d)
		}
		if !seen[text] && len(text) <= mostPayload && p.matcher.MatchString(text) { // word borders aren't made, they happen
			seen[text] = true
			if all = append(all, text); len(all) == n {
				break
			}
		}
	}
	return all
}

// Sample returns a request with a text in it that the pattern matches, the n-th of those that Samples returns.
func (p *Pattern) Sample(n int, text string) Request {
	return Put(fmt.Sprintf("sample/%d/%d", p.Rule, n), text)
}

// grow writes a text that the expression matches, save where borders forbid it.
func grow(d dice, re *syntax.Regexp, b *strings.Builder) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, c := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && d.chance(2) {
				c = unicode.SimpleFold(c)
			}
			b.WriteRune(c)
		}
	case syntax.OpCharClass:
		b.WriteRune(member(d, re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('!' + byte(d.IntN(90)))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			grow(d, sub, b)
		}
	case syntax.OpAlternate:
		grow(d, one(d, re.Sub), b)
	case syntax.OpQuest:
		again(d, re.Sub[0], 0, 1, b)
	case syntax.OpStar:
		again(d, re.Sub[0], 0, 2, b)
	case syntax.OpPlus:
		again(d, re.Sub[0], 1, 2, b)
	case syntax.OpRepeat:
		again(d, re.Sub[0], re.Min, max(re.Min, min(re.Max, re.Min+2)), b)
	default: // borders have no text
	}
}

func again(d dice, re *syntax.Regexp, least, most int, b *strings.Builder) {
	for range least + d.IntN(most-least+1) {
		grow(d, re, b)
	}
}

// member returns a character of a class, given as ranges: one of ASCII mostly, if it has any.
func member(d dice, ranges []rune) rune {
	for range 8 {
		n := 2 * d.IntN(len(ranges)/2)
		low, high := ranges[n], ranges[n+1]
		if low <= unicode.MaxASCII {
			return low + rune(d.IntN(int(min(high, unicode.MaxASCII)-low)+1))
		}
	}
	return ranges[0]
}
