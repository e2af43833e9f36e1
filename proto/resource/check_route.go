package resource

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkRoute checks hosts, paths, methods, conditions and what becomes of the path.
func checkRoute(route *configv1.Route) []problem.Violation {
	return slices.Concat(
		checkHosts(route.GetHosts()),
		checkPaths(route.GetPaths()),
		checkMethods(route.GetMethods()),
		checkHeaders(route.GetHeaders()),
		checkConditions("query", route.GetQuery(), false),
		checkStripPrefix(route),
		checkRewrite(route),
	)
}

func checkHosts(hosts []string) []problem.Violation {
	var violations []problem.Violation
	for i, host := range hosts {
		if host == "" {
			continue // too short: told of by its rule
		}
		if err := checkHostMatch(host); err != nil {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("hosts", i), Code: problem.ViolationInvalidFormat, Detail: err.Error(),
				Given: form.Given(host), Allowed: `"api.example.com", "*.example.com"`,
			})
		}
	}
	return violations
}

var (
	errWildcard = errors.New(`a wildcard is the whole first part of a host ("*.example.com"); for any host leave hosts out`)
	errHostPort = errors.New("a host is given without port; hosts in brackets can't be matched")
)

func checkHostMatch(host string) error {
	name, wildcard := strings.CutPrefix(host, "*.")
	switch {
	case strings.Contains(name, "*") || wildcard && name == "":
		return errWildcard
	case strings.ContainsAny(name, ":[]"):
		return errHostPort
	case wildcard && isNumeric(name[strings.LastIndexByte(name, '.')+1:]):
		return errIPv4
	}
	return checkHost(name)
}

func checkPaths(matches []*configv1.PathMatch) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, match := range matches {
		at, text := pathOf(match)
		if text == "" {
			continue // required or too short: told of by its rule
		}
		violation := problem.Violation{Pointer: problem.Pointer("paths", i, at), Given: form.Given(text)}
		if err := checkPath(at, text); err != nil {
			violation.Code, violation.Detail = problem.ViolationInvalidFormat, err.Error()
			violations = append(violations, violation)
			continue
		}
		key := at + " " + shape(text, at == "template")
		if j, twice := first[key]; twice {
			violation.Code = problem.ViolationNotUnique
			violation.Detail = fmt.Sprintf("matches the same paths as entry %d; give it once", j)
			violations = append(violations, violation)
			continue
		}
		first[key] = i
	}
	return violations
}

// pathOf returns the name of the member that is given, and its text.
func pathOf(match *configv1.PathMatch) (member, text string) {
	switch m := match.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return "exact", m.Exact
	case *configv1.PathMatch_Prefix:
		return "prefix", m.Prefix
	case *configv1.PathMatch_Template:
		return "template", m.Template
	}
	return "", ""
}

func checkPath(member, text string) error {
	if member == "template" {
		_, err := path.ParseTemplate(text)
		return err
	}
	canonical, err := path.Canonical(text)
	switch {
	case err != nil:
		return err
	case canonical != text:
		return fmt.Errorf("requests have this path in its canonical form; write %s", canonical)
	}
	return nil
}

// shape returns a path with the names of its parameters left out: two templates of one shape match the same paths.
func shape(text string, template bool) string {
	if !template {
		return text
	}
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// checkMethods refuses the method that has no path to match.
func checkMethods(methods []string) []problem.Violation {
	i := slices.Index(methods, "CONNECT")
	if i < 0 {
		return nil
	}
	return []problem.Violation{{
		Pointer: problem.Pointer("methods", i), Code: problem.ViolationNotSupported, Given: "CONNECT",
		Detail: "asks for a tunnel, which the gateway doesn't make (RFC 9110 section 9.3.6)",
	}}
}

func checkHeaders(headers []*configv1.ValueMatch) []problem.Violation {
	violations := checkConditions("headers", headers, true)
	for i, header := range headers {
		name := header.GetName()
		violation := problem.Violation{Pointer: problem.Pointer("headers", i, "name"), Given: form.Given(name)}
		switch {
		case name == "":
			continue // required: told of by its rule
		case !isToken(name):
			violation.Code = problem.ViolationInvalidFormat
			violation.Detail = "is no header name: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110 section 5.1)"
		case strings.EqualFold(name, "host"):
			violation.Code, violation.Detail = problem.ViolationInvalidValue, "is matched by hosts, not by a header condition"
		default:
			continue
		}
		violations = append(violations, violation)
	}
	return violations
}

// checkConditions finds conditions that are there twice, and values that no request can have.
func checkConditions(list string, conditions []*configv1.ValueMatch, fold bool) []problem.Violation {
	var violations []problem.Violation
	first := map[string]int{}
	for i, condition := range conditions {
		member, value := conditionOf(condition)
		if fold && strings.ContainsAny(value, "\r\n\x00") {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(list, i, member), Code: problem.ViolationInvalidValue, Given: form.Given(value),
				Detail: "holds a line break or NUL, which no header has",
			})
		}
		name := condition.GetName()
		if fold {
			name = asciiLower(name)
		}
		key := name + "\x00" + member + "\x00" + value
		if j, twice := first[key]; twice && name != "" {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer(list, i), Code: problem.ViolationNotUnique,
				Detail: fmt.Sprintf("is the same condition as entry %d; give it once", j), Given: form.Given(name),
			})
			continue
		}
		first[key] = i
	}
	return violations
}

// conditionOf returns the name of the member that is given, and its value.
func conditionOf(condition *configv1.ValueMatch) (member, value string) {
	switch m := condition.GetMatch().(type) {
	case *configv1.ValueMatch_Exact:
		return "exact", m.Exact
	case *configv1.ValueMatch_Prefix:
		return "prefix", m.Prefix
	case *configv1.ValueMatch_Present:
		return "present", strconv.FormatBool(m.Present)
	}
	return "", ""
}

// isToken tells whether a text is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// checkStripPrefix refuses to strip a prefix where a path isn't matched by one.
func checkStripPrefix(route *configv1.Route) []problem.Violation {
	if !route.GetStripPrefix() {
		return nil
	}
	for i, match := range route.GetPaths() {
		violation := problem.Violation{Pointer: "/strip_prefix", Code: problem.ViolationInvalidValue, Given: "true"}
		member, text := pathOf(match)
		switch {
		case member == "":
			continue // required: told of by its rule
		case member != "prefix":
			violation.Detail = fmt.Sprintf("only prefixes can be stripped, but path %d is matched as %s", i, member)
		case text != "/" && strings.HasSuffix(text, "/"):
			violation.Detail = fmt.Sprintf("the prefix of path %d ends with a slash; without it, what is left begins with one", i)
		default:
			continue
		}
		return []problem.Violation{violation}
	}
	return nil
}

// checkRewrite checks the path to forward: its form, and that each match has the parameters that it uses.
func checkRewrite(route *configv1.Route) []problem.Violation {
	text := route.GetRewritePath()
	if text == "" {
		return nil
	}
	violation := problem.Violation{Pointer: "/rewrite_path", Code: problem.ViolationInvalidFormat, Given: form.Given(text)}
	template, err := path.ParseTemplate(text)
	if err != nil {
		violation.Detail = err.Error()
		return []problem.Violation{violation}
	}
	var violations []problem.Violation
	if route.GetStripPrefix() {
		violation.Code, violation.Detail = problem.ViolationMutuallyExcluded, "can't be given together with strip_prefix; give one of them"
		violations = append(violations, violation)
	}
	for i, match := range route.GetPaths() {
		if missing := missingNames(template.Names(), match); len(missing) > 0 {
			violation.Code = problem.ViolationInvalidValue
			violation.Detail = fmt.Sprintf("uses {%s}, which path %d doesn't have", strings.Join(missing, "}, {"), i)
			violations = append(violations, violation)
		}
	}
	return violations
}

// missingNames returns the parameters that a match doesn't give.
func missingNames(names []string, match *configv1.PathMatch) []string {
	member, text := pathOf(match)
	if text == "" {
		return nil
	}
	var given []string
	if member == "template" {
		template, err := path.ParseTemplate(text)
		if err != nil {
			return nil // told of at the path itself
		}
		given = template.Names()
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(given, name) })
}
