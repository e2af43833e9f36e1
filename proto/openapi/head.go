package openapi

import (
	"net/url"
	"slices"
	"strings"
)

// maxArguments is how many arguments a query or a form may have.
const maxArguments = 1_000

// Head is what a request says before its body.
type Head struct {
	// Params are the values of the path's parameters, as Match found them.
	Params []string
	// Query is the raw query, without '?'.
	Query string
	// Header returns the values of a field, joined by commas (RFC 9110 §5.3), and whether there is one.
	Header func(name string) (string, bool)
	// Strict queries have no parameter that isn't described.
	Strict bool
}

// argument is one of a query or a form.
type argument struct {
	name, value string
	known       bool
}

// Head holds what a request says before its body against the description, and returns the places that break it.
func (o *Operation) Head(h *Head) []Breach {
	var breaches []Breach
	arguments, ok := readArguments(h.Query)
	if !ok {
		return []Breach{{Where: inQuery, Described: inQuery, Rule: "query", Message: "can't be read: it has broken escapes, or more than 1000 arguments"}}
	}
	cookies := o.cookies(h)
	for _, p := range o.parameters {
		if len(breaches) >= MaxBreaches {
			break
		}
		switch p.in {
		case inPath:
			breaches = append(breaches, o.pathValue(p, h.Params)...)
		case inHeader:
			value, has := h.Header(p.name)
			breaches = append(breaches, p.one(value, has, ToService)...)
		case inCookie:
			breaches = append(breaches, p.argument(cookies, ToService)...)
		case inQuery:
			breaches = append(breaches, p.argument(arguments, ToService)...)
		}
	}
	if h.Strict {
		breaches = append(breaches, o.unknown(arguments)...)
	}
	return clip(breaches)
}

func (o *Operation) pathValue(p *parameter, params []string) []Breach {
	i := slices.Index(o.names, p.name)
	if i < 0 || i >= len(params) {
		return p.breach("required", "is required")
	}
	text, err := url.PathUnescape(params[i])
	if err != nil {
		return p.breach("style", "isn't written as the description says")
	}
	return p.one(text, true, ToService)
}

// unknown are the arguments that no parameter has taken, each name once.
func (o *Operation) unknown(arguments []argument) []Breach {
	var breaches []Breach
	var told []string
	for _, a := range arguments {
		if a.known || slices.Contains(o.keys, a.name) || slices.Contains(told, a.name) || len(breaches) >= MaxBreaches {
			continue
		}
		told = append(told, a.name)
		breaches = append(breaches, Breach{Where: shorten(inQuery + "." + a.name), Described: "query.*", Rule: "parameter", Message: "isn't described"})
	}
	return breaches
}

// readArguments takes a query or a form apart.
func readArguments(query string) ([]argument, bool) {
	if query == "" {
		return nil, true
	}
	if strings.Count(query, "&") >= maxArguments {
		return nil, false
	}
	var all []argument
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, false
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, false
		}
		all = append(all, argument{name: name, value: value})
	}
	return all, true
}

// cookies reads them where the operation has any.
func (o *Operation) cookies(h *Head) []argument {
	if !slices.ContainsFunc(o.parameters, func(p *parameter) bool { return p.in == inCookie }) {
		return nil
	}
	text, _ := h.Header("Cookie")
	var all []argument
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && len(all) < maxArguments {
			all = append(all, argument{name: name, value: strings.Trim(value, `"`)})
		}
	}
	return all
}

// argument holds the arguments of its name, or of its members' names, against the parameter.
func (p *parameter) argument(arguments []argument, direction Direction) []Breach {
	if p.schema != nil && !p.json && !p.opaque {
		switch shape := p.schema.rule.shape(); {
		case shape == Array && p.explode:
			return p.repeated(arguments, direction)
		case shape == Object && p.style == styleDeep:
			return p.members(arguments, direction, deepName)
		case shape == Object && p.style == styleForm && p.explode:
			return p.members(arguments, direction, func(_, name string) (string, bool) { return name, p.schema.rule.describes(name) })
		}
	}
	found := -1
	for i := range arguments {
		if arguments[i].name != p.name {
			continue
		}
		arguments[i].known = true
		if found >= 0 {
			return p.breach("repeated", "is given more than once")
		}
		found = i
	}
	if found < 0 {
		return p.one("", false, direction)
	}
	if text := arguments[found].value; text != "" || !p.allowEmpty {
		return p.one(text, true, direction)
	}
	return nil
}

// repeated holds a list against the parameter of which each item is an argument.
func (p *parameter) repeated(arguments []argument, direction Direction) []Breach {
	var parts []string
	size := 0
	for i := range arguments {
		if arguments[i].name == p.name {
			arguments[i].known = true
			parts = append(parts, arguments[i].value)
			size += len(arguments[i].value) + 1
		}
	}
	if parts == nil {
		return p.one("", false, direction)
	}
	return p.evaluate(listOf(p.schema.rule, parts), size, direction)
}

// members holds an object against the parameter of which each member is an argument.
func (p *parameter) members(arguments []argument, direction Direction, nameOf func(parameter, argument string) (string, bool)) []Breach {
	var pairs [][2]string
	size := 0
	for i := range arguments {
		if name, is := nameOf(p.name, arguments[i].name); is {
			arguments[i].known = true
			pairs = append(pairs, [2]string{name, arguments[i].value})
			size += len(name) + len(arguments[i].value) + 2
		}
	}
	if pairs == nil {
		return p.one("", false, direction)
	}
	if twice(pairs) {
		return p.breach("repeated", "has a member more than once")
	}
	return p.evaluate(objectOf(p.schema.rule, pairs), size, direction)
}

func twice(pairs [][2]string) bool {
	seen := make(map[string]struct{}, len(pairs))
	for _, pair := range pairs {
		seen[pair[0]] = struct{}{}
	}
	return len(seen) < len(pairs)
}

// deepName is the member's name in "parameter[member]".
func deepName(parameter, argument string) (string, bool) {
	rest, ok := strings.CutPrefix(argument, parameter+"[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "]")
}

// describes tells whether members of a name are described.
func (r *rule) describes(name string) bool { return slices.Contains(r.memberNames(), name) }
