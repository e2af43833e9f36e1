package ruleset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a part of a request that rules look at.
type part struct {
	name string
	// variables of SecLang that hold it, as exceptions mean it: each that a rule may look at it by.
	variables []string
	// compared are those that conditions compare; nil: the same.
	compared []string
	// named says that it has parts of its own, by name.
	named bool
	// asked says that conditions alone know it.
	asked bool
	// late says that it is there once the body is.
	late bool
}

var parts = []part{
	{name: "argument", variables: []string{"ARGS", "ARGS_GET", "ARGS_POST"}, compared: []string{"ARGS"}, named: true, late: true},
	{name: "argument-name", variables: []string{"ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES"}, compared: []string{"ARGS_NAMES"}, named: true, late: true},
	{name: "cookie", variables: []string{"REQUEST_COOKIES"}, named: true},
	{name: "cookie-name", variables: []string{"REQUEST_COOKIES_NAMES"}, named: true},
	{name: "header", variables: []string{"REQUEST_HEADERS"}, named: true},
	{name: "header-name", variables: []string{"REQUEST_HEADERS_NAMES"}, named: true},
	{
		name: "body", variables: []string{"REQUEST_BODY", "XML", "FILES", "FILES_NAMES", "MULTIPART_PART_HEADERS"},
		compared: []string{"REQUEST_BODY", "ARGS_POST", "XML:/*"}, late: true,
	},
	{
		name: "path", variables: []string{"REQUEST_FILENAME", "REQUEST_BASENAME", "REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_LINE"},
		compared: []string{"REQUEST_FILENAME"},
	},
	{name: "query", variables: []string{"QUERY_STRING"}},
	{name: "method", variables: []string{"REQUEST_METHOD"}, asked: true},
	{name: "protocol", variables: []string{"REQUEST_PROTOCOL"}, asked: true},
	{name: "address", variables: []string{"REMOTE_ADDR"}, asked: true},
}

// longestName is how long the name in a target may be, in bytes.
const longestName = 256

// ParseTarget reads a part of a request: "argument:comment", "cookie:*", "path". A name of "" means all. In a name "*" stands for anything but a dot, so
// that "json.items.*.note" is the note of each item of a JSON body.
func ParseTarget(text string) (part, name string, err error) {
	part, name, hasName := strings.Cut(text, ":")
	known := partOf(part)
	switch {
	case known == nil:
		return "", "", fmt.Errorf("%q is no part of a request; it is one of %s", part, strings.Join(PartNames(), ", "))
	case hasName && !known.named:
		return "", "", fmt.Errorf("%q has no parts with names; leave %q away", part, ":"+name)
	case hasName && name == "":
		return "", "", fmt.Errorf(`the name is missing; say "%s:*" for all`, part)
	case len(name) > longestName:
		return "", "", fmt.Errorf("the name is longer than %d bytes", longestName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", "", errors.New("the name holds bytes that are no text")
	case name == "*":
		name = ""
	}
	return part, name, nil
}

// PartNames returns what targets may name, in their order.
func PartNames() []string {
	names := make([]string, len(parts))
	for i := range parts {
		names[i] = parts[i].name
	}
	return names
}

// Excludable tells whether rules can be kept from a part; what only conditions know isn't a part that rules find things in.
func Excludable(part string) bool {
	known := partOf(part)
	return known != nil && !known.asked
}

// PartOf returns the part that a variable of SecLang belongs to, as findings tell of it: "ARGS_POST" is of "argument"; "": of none.
func PartOf(variable string) string {
	for _, p := range parts {
		if slices.Contains(p.variables, variable) {
			return p.name
		}
	}
	return ""
}

// Variables returns the variables of SecLang that a target stands for where rules are kept from it: "ARGS:comment". A name that SecLang can't write as it is,
// or with a "*", becomes a pattern: "ARGS:/(?i)^json\.items\.[^.]*\.note$/". Engines compare names without regard to case.
func Variables(part, name string) []string {
	known := partOf(part)
	if known == nil {
		return nil
	}
	return selected(known.variables, name)
}

// selected adds a name to variables.
func selected(variables []string, name string) []string {
	all := make([]string, len(variables))
	for i, variable := range variables {
		all[i] = variable
		if name != "" && name != "*" {
			all[i] += ":" + key(name)
		}
	}
	return all
}

// key writes a name so that SecLang reads it back as nothing else.
func key(name string) string {
	if plainName(name) {
		return name
	}
	pieces := strings.Split(name, "*")
	for i, piece := range pieces {
		pieces[i] = quoteBlanks(quotePattern(piece))
	}
	return `/(?i)^` + strings.Join(pieces, `[^.]*`) + `$/`
}

// quoteBlanks writes blanks beyond ASCII as escapes: engines split what changes a rule's targets at any of them.
func quoteBlanks(pattern string) string {
	if !strings.ContainsFunc(pattern, unicode.IsSpace) {
		return pattern
	}
	var quoted strings.Builder
	for _, c := range pattern {
		if unicode.IsSpace(c) {
			fmt.Fprintf(&quoted, `\x{%x}`, c)
		} else {
			quoted.WriteRune(c)
		}
	}
	return quoted.String()
}

// plainName tells whether SecLang takes a name as it is wherever names may stand.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isWord(c) && c != '-' && c != '.' {
			return false
		}
	}
	return name != ""
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

func partOf(name string) *part {
	for i := range parts {
		if parts[i].name == name {
			return &parts[i]
		}
	}
	return nil
}
