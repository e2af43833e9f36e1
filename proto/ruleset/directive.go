package ruleset

import (
	"errors"
	"fmt"
	"strings"
)

// directive is one of SecLang's, on one line, without comments.
type directive struct {
	line int // the first it stood on, from 1
	name string
	rest string
}

// String writes it as engines read it.
func (d directive) String() string {
	if d.rest == "" {
		return d.name
	}
	return d.name + " " + d.rest
}

// directives reads SecLang as engines do: lines are trimmed, those that begin with "#" or are empty don't count, one that ends in "\" goes on with the next.
func directives(text string) ([]directive, error) {
	var all []directive
	var joined strings.Builder
	begun := 0
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if begun == 0 {
			begun = number
		}
		if part, goesOn := strings.CutSuffix(line, `\`); goesOn {
			joined.WriteString(part)
			continue
		}
		joined.WriteString(line)
		name, rest, _ := strings.Cut(strings.TrimSpace(joined.String()), " ")
		all = append(all, directive{line: begun, name: name, rest: strings.TrimSpace(rest)})
		joined.Reset()
		begun = 0
	}
	if begun != 0 {
		return all, fmt.Errorf(`line %d: the last line ends in "\", and nothing follows`, begun)
	}
	return all, nil
}

// statement is a SecRule or SecAction, taken apart.
type statement struct {
	variables string
	operator  string
	actions   []action
}

// action is one of a rule's.
type action struct{ name, value string }

// statement takes a SecRule or SecAction apart.
func (d directive) statement() (statement, error) {
	if strings.EqualFold(d.name, "SecAction") {
		text, ok := unquoted(d.rest)
		if !ok {
			return statement{}, errors.New("the actions must stand in double quotes")
		}
		actions, err := actionsOf(text)
		return statement{actions: actions}, err
	}
	variables, rest, _ := strings.Cut(d.rest, " ")
	rest = strings.TrimLeft(rest, " ")
	quoted, rest, err := cutQuoted(rest)
	if err != nil {
		return statement{}, err
	}
	s := statement{variables: variables, operator: strings.ReplaceAll(quoted, `\"`, `"`)}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return s, nil
	}
	text, ok := unquoted(rest)
	if !ok {
		return statement{}, errors.New("the actions must stand in double quotes")
	}
	s.actions, err = actionsOf(text)
	return s, err
}

// cutQuoted cuts the text in double quotes that s begins with off. A quote behind a backslash doesn't end it.
func cutQuoted(s string) (quoted, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", errors.New("the operator must stand in double quotes")
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			return s[1:i], s[i+1:], nil
		}
	}
	return "", "", errors.New("a double quote isn't closed")
}

func unquoted(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// actionsOf takes a list of actions apart: separated by commas, values behind a colon, in single quotes where they hold a comma.
func actionsOf(text string) ([]action, error) {
	var all []action
	quoted, begin := false, 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) && quoted:
			return nil, errors.New("a single quote in the actions isn't closed")
		case i == len(text), text[i] == ',' && !quoted:
			name, value, _ := strings.Cut(text[begin:i], ":")
			all = append(all, action{strings.ToLower(strings.TrimSpace(name)), trimQuotes(strings.TrimSpace(value))})
			begin = i + 1
		case text[i] == '\\':
			i++ // what is escaped neither begins nor ends a text
		case text[i] == '\'':
			quoted = !quoted
		}
	}
	return all, nil
}

func trimQuotes(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}
