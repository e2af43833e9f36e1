package ruleset

import (
	"io/fs"
	"slices"
	"strings"
	"sync"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
)

// looked is what a rule of the Core Rule Set looks at: by variable, what it is excepted from there already ("!REQUEST_COOKIES:__gads").
type looked map[string][]string

// later is the key in looked, which no variable has, under which the variables stand that links of a chain behind the first look at.
const later = ""

// looksAt tells it of each rule.
var looksAt = sync.OnceValue(func() map[int]looked {
	all := map[int]looked{}
	for _, name := range files() {
		text, err := fs.ReadFile(coreruleset.FS, "@owasp_crs/"+name)
		if err != nil {
			panic("the Core Rule Set isn't embedded: " + err.Error())
		}
		lines, _ := directives(string(text)) // understood, since Known is
		var first looked
		for _, line := range lines {
			switch line.name {
			case "SecRule":
				statement, _ := line.statement()
				if rule, ok := ruleOf(line); ok {
					first = looked{}
					all[rule.ID] = first
					first.add(statement.variables)
					continue
				}
				for _, item := range splitVariables(statement.variables) {
					variable, _, _ := strings.Cut(strings.TrimLeft(item, "!&"), ":")
					first[later] = append(first[later], strings.Clone(variable))
				}
			case "SecRuleUpdateTargetById":
				id, variables, _ := strings.Cut(line.rest, " ")
				all[number(id)].add(strings.Trim(variables, `" `))
			}
		}
	}
	return all
})

// add notes variables, and what is excepted from those that are noted.
func (l looked) add(variables string) {
	for _, item := range splitVariables(variables) {
		variable, _, _ := strings.Cut(strings.TrimLeft(item, "!&"), ":")
		excepted, there := l[strings.Clone(variable)]
		switch {
		case item[0] != '!' && !there:
			l[strings.Clone(variable)] = nil
		case item[0] == '!' && there:
			l[variable] = append(excepted, strings.Clone(item))
		}
	}
}

// filled adds to a rule's exceptions ("!ARGS:comment") as many that it has already as fill its lists.
//
// Engines append what a single request is excepted from to the rule's own list, which all requests share. Where the list has room to spare, two requests
// write into the same place, and one is excepted from what only the other is. A full list is copied instead. How lists grow is asked of one of the same
// form, which grows by one as the engine's do.
func (l looked) filled(exceptions []string) []string {
	var all []string
	for _, variable := range variablesIn(l) {
		list := slices.Clone(l[variable])
		for _, exception := range exceptions {
			if name, _, _ := strings.Cut(exception[1:], ":"); exception[0] == '!' && name == variable {
				list = append(list, exception)
			}
		}
		had := len(l[variable])
		all = append(all, list[had:]...)
		for range missing(len(list)) {
			all = append(all, list[len(list)-1])
		}
	}
	for _, exception := range exceptions {
		if exception[0] != '!' {
			all = append(all, exception) // adds to what the rule looks at
		}
	}
	return all
}

// missing is how many more than n fill a list that grew one by one.
func missing(n int) int {
	var list []struct {
		key     string
		pattern *int
	}
	for range n {
		list = append(list, struct {
			key     string
			pattern *int
		}{})
	}
	return cap(list) - len(list)
}

// looksLater tells whether a link behind the first looks at one of these variables ("!ARGS:comment").
func (l looked) looksLater(exceptions []string) bool {
	return slices.ContainsFunc(exceptions, func(exception string) bool {
		variable, _, _ := strings.Cut(exception[1:], ":")
		return slices.Contains(l[later], variable)
	})
}

func variablesIn(l looked) []string {
	names := make([]string, 0, len(l))
	for name := range l {
		if name != later {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
