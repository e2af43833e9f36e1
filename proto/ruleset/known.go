package ruleset

import (
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unique"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// Rule is one of the Core Rule Set's.
type Rule struct {
	ID       int
	Phase    int
	Paranoia int // the least level on which it runs; 0: on each
	Severity string
	Message  string
	Tags     []string
	// Bookkeeping says that it finds nothing: it sets up, skips or adds up, and the others need it.
	Bookkeeping bool
}

// Known returns the rules of the Core Rule Set, sorted by their ids. They are shared: who calls doesn't change them.
func Known() []Rule { return known() }

var known = sync.OnceValue(func() []Rule {
	var rules []Rule
	for _, name := range files() {
		text, err := fs.ReadFile(coreruleset.FS, "@owasp_crs/"+name)
		if err != nil {
			panic("the Core Rule Set isn't embedded: " + err.Error())
		}
		lines, err := directives(string(text))
		if err != nil {
			panic("the Core Rule Set isn't understood: " + name + ": " + err.Error())
		}
		for _, line := range lines {
			rule, ok := ruleOf(line)
			if !ok {
				continue
			}
			rule.Bookkeeping = rule.Severity == "" || bookkeeping(name)
			rules = append(rules, rule)
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int { return a.ID - b.ID })
	return slices.Clip(rules)
})

// bookkeeping tells whether a file of the Core Rule Set holds nothing but what sets up or adds up.
func bookkeeping(file string) bool {
	for _, prefix := range []string{"REQUEST-901", "REQUEST-905", "REQUEST-949", "REQUEST-999", "RESPONSE-959", "RESPONSE-980"} {
		if strings.HasPrefix(file, prefix) {
			return true
		}
	}
	return false
}

// ruleOf reads what is known of a rule; links of a chain behind the first aren't rules of their own.
func ruleOf(line directive) (Rule, bool) {
	if line.name != "SecRule" && line.name != "SecAction" {
		return Rule{}, false
	}
	statement, err := line.statement()
	if err != nil {
		panic("the Core Rule Set isn't understood: " + line.String())
	}
	rule := Rule{Phase: 2}
	for _, action := range statement.actions {
		switch action.name {
		case "id":
			rule.ID = number(action.value)
		case "phase":
			rule.Phase = phase(action.value)
		case "severity":
			rule.Severity = intern(action.value)
		case "msg":
			rule.Message = strings.Clone(action.value)
		case "tag":
			rule.Tags = append(rule.Tags, intern(action.value))
			if level, ok := strings.CutPrefix(action.value, "paranoia-level/"); ok {
				rule.Paranoia = number(level)
			}
		}
	}
	return rule, rule.ID != 0
}

// phase reads a phase, which may be written as a word.
func phase(text string) int {
	switch text {
	case "request":
		return 2
	case "response":
		return 4
	case "logging":
		return 5
	}
	return number(text)
}

// intern keeps one copy of a text that many rules have, and nothing of the file that it stood in.
func intern(text string) string { return unique.Make(strings.Clone(text)).Value() }

// number reads a number; 0 where there is none.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// knownRule returns a rule of the Core Rule Set.
func knownRule(id int) (Rule, bool) {
	rules := known()
	i, found := slices.BinarySearchFunc(rules, id, func(r Rule, id int) int { return r.ID - id })
	if !found {
		return Rule{}, false
	}
	return rules[i], true
}
