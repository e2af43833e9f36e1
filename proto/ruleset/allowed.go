package ruleset

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// allowedVariables are what raw rules may look at. What is missing tells of the node instead of the request: its environment, its files, its clock's work.
var allowedVariables = set(
	"ARGS", "ARGS_COMBINED_SIZE", "ARGS_GET", "ARGS_GET_NAMES", "ARGS_NAMES", "ARGS_PATH", "ARGS_POST", "ARGS_POST_NAMES", "ARGUMENTS_LIMIT_REACHED",
	"FILES", "FILES_COMBINED_SIZE", "FILES_NAMES", "FILES_SIZES", "MATCHED_VAR", "MATCHED_VARS", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME",
	"MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS", "MULTIPART_STRICT_ERROR", "MULTIPART_UNMATCHED_BOUNDARY", "PATH_INFO",
	"QUERY_STRING", "REMOTE_ADDR", "REQBODY_ERROR", "REQBODY_ERROR_MSG", "REQBODY_PROCESSOR", "REQBODY_PROCESSOR_ERROR", "REQUEST_BASENAME",
	"REQUEST_BODY", "REQUEST_BODY_LENGTH", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES", "REQUEST_FILENAME", "REQUEST_HEADERS",
	"REQUEST_HEADERS_NAMES", "REQUEST_LINE", "REQUEST_METHOD", "REQUEST_PROTOCOL", "REQUEST_URI", "REQUEST_URI_RAW", "RESPONSE_BODY",
	"RESPONSE_CONTENT_LENGTH", "RESPONSE_CONTENT_TYPE", "RESPONSE_HEADERS", "RESPONSE_HEADERS_NAMES", "RESPONSE_PROTOCOL", "RESPONSE_STATUS",
	"SERVER_NAME", "TX", "UNIQUE_ID", "URLENCODED_ERROR", "XML",
)

// selectable are those of them that have parts with names.
var selectable = set(
	"ARGS", "ARGS_GET", "ARGS_GET_NAMES", "ARGS_NAMES", "ARGS_PATH", "ARGS_POST", "ARGS_POST_NAMES", "FILES", "FILES_NAMES", "FILES_SIZES",
	"MATCHED_VARS", "MATCHED_VARS_NAMES", "MULTIPART_FILENAME", "MULTIPART_NAME", "MULTIPART_PART_HEADERS", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES",
	"REQUEST_HEADERS", "REQUEST_HEADERS_NAMES", "RESPONSE_HEADERS", "RESPONSE_HEADERS_NAMES", "TX", "XML",
)

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

var variableForm = regexp.MustCompile(`^([!&]?)([A-Z_]+)(?::(.+))?$`)

// variablesOf reads the variables that a rule looks at, apart by "|", and says what the patterns among their names cost.
func variablesOf(text string) (all []string, cost int, _ error) {
	for _, item := range splitVariables(text) {
		parts := variableForm.FindStringSubmatch(item)
		if parts == nil {
			return nil, 0, fmt.Errorf("%q is no variable; write it in upper case, a name behind a colon: ARGS:comment", shortened(item))
		}
		name, key := parts[2], parts[3]
		switch {
		case !allowedVariables[name]:
			return nil, 0, fmt.Errorf("the variable %q isn't allowed", shortened(name))
		case key != "" && !selectable[name]:
			return nil, 0, fmt.Errorf("the variable %s has no parts with names", name)
		}
		more, err := keyCost(name, key)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", shortened(item), err)
		}
		cost += more
		all = append(all, item)
	}
	return all, cost, nil
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9_.$*@\[\]-]+$`)

// keyCost judges the name within a variable.
func keyCost(variable, key string) (int, error) {
	pattern, isPattern := strings.CutPrefix(key, "/")
	switch {
	case key == "":
		return 0, nil
	case variable == "XML":
		if key != "/*" && key != "//@*" {
			return 0, errors.New("of XML there are /* and //@*")
		}
		return 0, nil
	case !isPattern:
		if !keyForm.MatchString(key) {
			return 0, errors.New(`a name has letters, digits and "_.$*@[]-"; write others as a pattern: /^a b$/`)
		}
		return 0, nil
	}
	pattern, closed := strings.CutSuffix(pattern, "/")
	if !closed || pattern == "" || unescaped(pattern, '/') >= 0 || strings.ContainsAny(pattern, ` "'`) {
		return 0, errors.New(`a pattern stands between slashes and holds no blank, quote or further slash; write \x20 and the like`)
	}
	return boundedCost(pattern)
}

// splitVariables splits at each "|" that isn't within a pattern between slashes.
func splitVariables(text string) []string {
	var all []string
	for {
		end := strings.IndexByte(text, '|')
		if colon := strings.Index(text, ":/"); colon >= 0 && (end < 0 || colon < end) && !strings.HasPrefix(text, "XML:") && !strings.HasPrefix(text, "!XML:") {
			end = -1
			if closing := unescaped(text[colon+2:], '/'); closing >= 0 {
				if rest := colon + 2 + closing + 1; rest < len(text) {
					end = rest // checked by the form: anything but "|" here is part of the name
					if text[rest] != '|' {
						return append(all, text)
					}
				}
			}
		}
		if end < 0 {
			return append(all, text)
		}
		all = append(all, text[:end])
		text = text[end+1:]
	}
}

// unescaped returns where c first stands without a backslash before it; -1: nowhere.
func unescaped(text string, c byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case c:
			return i
		}
	}
	return -1
}

// boundedCost is what a pattern costs, if that isn't too much.
func boundedCost(pattern string) (int, error) {
	cost, err := patternCost(pattern)
	if err == nil && cost > MaxPattern {
		err = fmt.Errorf("the regular expression costs too much: about %d states, of %d at most; repeat less", cost, MaxPattern)
	}
	return cost, err
}

// allowedOperators are those that look at nothing but what they are given. Names are written as engines know them.
var allowedOperators = map[string]func(argument string) error{
	"rx":                   func(string) error { return nil },
	"pm":                   needed,
	"streq":                given,
	"contains":             given,
	"beginsWith":           given,
	"endsWith":             given,
	"within":               given,
	"strmatch":             given,
	"eq":                   counted,
	"ge":                   counted,
	"gt":                   counted,
	"le":                   counted,
	"lt":                   counted,
	"ipMatch":              addresses,
	"detectSQLi":           nothing,
	"detectXSS":            nothing,
	"unconditionalMatch":   nothing,
	"noMatch":              nothing,
	"validateByteRange":    needed,
	"validateUrlEncoding":  nothing,
	"validateUtf8Encoding": nothing,
}

// operatorOf checks an operator, which is a pattern where none is named, and writes it anew.
func operatorOf(text string) (written string, cost int, _ error) {
	text = strings.TrimSpace(text)
	not := ""
	if rest, negated := strings.CutPrefix(text, "!"); negated {
		not, text = "!", rest
	}
	name, argument := "rx", strings.TrimSpace(text)
	if rest, named := strings.CutPrefix(text, "@"); named {
		name, argument, _ = strings.Cut(rest, " ")
		argument = strings.TrimSpace(argument)
	}
	check, ok := allowedOperators[name]
	if !ok {
		return "", 0, fmt.Errorf("the operator %q isn't allowed", shortened("@"+name))
	}
	if name == "rx" {
		cost, err := boundedCost(argument)
		if err != nil {
			return "", 0, fmt.Errorf("@rx: %w", err)
		}
		return strings.TrimRight(not+"@rx "+argument, " "), cost, nil
	}
	if err := errors.Join(check(argument), macros(argument)); err != nil {
		return "", 0, fmt.Errorf("@%s: %w", name, err)
	}
	if argument == "" {
		return not + "@" + name, 0, nil
	}
	return not + "@" + name + " " + argument, 0, nil
}

func needed(argument string) error {
	if argument == "" {
		return errors.New("needs something to look for")
	}
	return nil
}

// given is for what expands macros.
func given(argument string) error { return needed(argument) }

func nothing(argument string) error {
	if argument != "" {
		return errors.New("takes nothing")
	}
	return nil
}

var numberForm = regexp.MustCompile(`^(?:[0-9]{1,12}|%\{[A-Za-z0-9_.-]+\})$`)

func counted(argument string) error {
	if !numberForm.MatchString(argument) {
		return errors.New("needs a number, or a variable: %{tx.name}")
	}
	return nil
}

// addresses refuses what isn't an address or a range: engines leave it out without a word.
func addresses(argument string) error {
	for text := range strings.SplitSeq(argument, ",") {
		text = strings.TrimSpace(text)
		_, err := netip.ParsePrefix(text)
		if err != nil {
			_, err = netip.ParseAddr(text)
		}
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a range", shortened(text))
		}
	}
	return nil
}

// disruptive are the actions that say what follows from a rule.
var disruptive = set("allow", "block", "deny", "pass")

// allowedActions are those that change the transaction and nothing beyond it.
var allowedActions = map[string]func(value string) error{
	"accuracy":   func(v string) error { return numberWithin(v, 0, 9) },
	"allow":      oneOf("", "phase", "request"),
	"auditlog":   oneOf(""),
	"block":      oneOf(""),
	"capture":    oneOf(""),
	"chain":      oneOf(""),
	"ctl":        control,
	"deny":       oneOf(""),
	"id":         func(v string) error { return numberWithin(v, firstRaw, lastRaw) },
	"log":        oneOf(""),
	"logdata":    said,
	"maturity":   func(v string) error { return numberWithin(v, 0, 9) },
	"msg":        said,
	"multimatch": oneOf(""),
	"noauditlog": oneOf(""),
	"nolog":      oneOf(""),
	"pass":       oneOf(""),
	"phase":      oneOf("1", "2", "3", "4", "request", "response"),
	"rev":        said,
	"setvar":     variable,
	"severity": oneOf("0", "1", "2", "3", "4", "5", "6", "7",
		"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"),
	"skipafter": said,
	"status":    func(v string) error { return numberWithin(v, 400, 599) },
	"t":         transformation,
	"tag":       said,
	"ver":       said,
}

const actionNames = "accuracy, allow, auditlog, block, capture, chain, ctl, deny, id, log, logdata, maturity, msg, multiMatch, noauditlog, nolog, pass, " +
	"phase, rev, setvar, severity, skipAfter, status, t, tag and ver"

func oneOf(values ...string) func(string) error {
	return func(value string) error {
		for _, v := range values {
			if value == v {
				return nil
			}
		}
		if len(values) == 1 {
			return errors.New("takes nothing")
		}
		return fmt.Errorf("must be one of %s", strings.Trim(strings.Join(values, ", "), ", "))
	}
}

func said(value string) error {
	if value == "" {
		return errors.New("says nothing")
	}
	return nil
}

var (
	variableName = regexp.MustCompile(`^!?[Tt][Xx]\.([A-Za-z0-9_.-]{1,128})(?:=(.*))?$`)
	// kept are the variables that the policy's own fields set.
	kept = set("blocking_paranoia_level", "detection_paranoia_level", "inbound_anomaly_score_threshold", "outbound_anomaly_score_threshold",
		"sampling_percentage", "crs_setup_version", "early_blocking", "reporting_level", "crs_skip_response_analysis", "enable_default_collections")
)

// variable judges what setvar sets.
func variable(value string) error {
	parts := variableName.FindStringSubmatch(value)
	switch {
	case parts == nil:
		return errors.New("must be of the form tx.name=value")
	case kept[strings.ToLower(parts[1])]:
		return fmt.Errorf("can't set tx.%s: the policy's own fields say it", parts[1])
	}
	return nil
}

// transformation judges a transformation by its name.
func transformation(value string) error {
	if !transformations[strings.ToLower(value)] {
		return fmt.Errorf("%q is no transformation", shortened(value))
	}
	return nil
}

var transformations = set(
	"none", "base64decode", "base64decodeext", "base64encode", "cmdline", "compresswhitespace", "cssdecode", "escapeseqdecode", "hexdecode", "hexencode",
	"htmlentitydecode", "jsdecode", "length", "lowercase", "md5", "normalisepath", "normalisepathwin", "normalizepath", "normalizepathwin",
	"removecomments", "removecommentschar", "removenulls", "removewhitespace", "replacecomments", "replacenulls", "sha1", "trim", "trimleft",
	"trimright", "uppercase", "urldecode", "urldecodeuni", "urlencode", "utf8tounicode",
)

// control judges what ctl changes for one request: rules of the Core Rule Set that find something, and how a body is read.
func control(value string) error {
	name, text, _ := strings.Cut(value, "=")
	what, target, targeted := strings.Cut(text, ";")
	switch name {
	case "forceRequestBodyVariable":
		return oneOfControl(text, "On")
	case "requestBodyProcessor":
		return oneOfControl(text, "URLENCODED", "MULTIPART", "JSON", "XML")
	case "ruleRemoveById":
		if err := removable(what, within(what)); err != nil {
			return err
		}
	case "ruleRemoveByTag":
		if err := removable(what, func(rule Rule) bool { return slices.Contains(rule.Tags, what) }); err != nil {
			return err
		}
	case "ruleRemoveTargetById":
		if _, err := SelectRules(what); err != nil {
			return err
		}
	case "ruleRemoveTargetByTag":
		if _, err := tagged(what); err != nil {
			return err
		}
	default:
		return fmt.Errorf("can't change %q", shortened(name))
	}
	if targeted != strings.Contains(name, "Target") {
		return errors.New("names a target where it takes none, or none where it takes one")
	}
	if !targeted {
		return nil
	}
	if strings.ContainsAny(target, "!&|") {
		return errors.New("names one variable, without a sign")
	}
	_, _, err := variablesOf(target)
	return err
}

func oneOfControl(value string, values ...string) error {
	for _, v := range values {
		if value == v {
			return nil
		}
	}
	return fmt.Errorf("must be %s there", strings.Join(values, ", "))
}

// removable refuses to take out what others need. Engines take out all that is meant, rules that keep the books too; the directives that do the same for
// all requests are written anew, without those.
func removable(what string, meant func(Rule) bool) error {
	found := false
	for _, rule := range known() {
		if !meant(rule) {
			continue
		}
		found = true
		if _, skipped := skippers[rule.ID]; skipped || rule.Bookkeeping {
			return fmt.Errorf("can't take out %q: rule %d is among them, which others need; name others, take a target from them, or use the directive "+
				"SecRuleRemoveById or SecRuleRemoveByTag", shortened(what), rule.ID)
		}
	}
	if !found {
		return fmt.Errorf("takes out nothing: the Core Rule Set has no rule %q", shortened(what))
	}
	return nil
}

// within returns what tells whether a rule is meant by an id or a range of ids.
func within(text string) func(Rule) bool {
	first, last, isRange := strings.Cut(text, "-")
	from, to := number(first), number(last)
	if !isRange {
		to = from
	}
	return func(rule Rule) bool { return from <= rule.ID && rule.ID <= to }
}
