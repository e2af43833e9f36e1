package ruleset

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of raw SecLang.
const (
	maxRawRules = 128
	maxRawLine  = 16 << 10
	maxActions  = 64
)

// Fault is something that raw SecLang may not say.
type Fault struct {
	Line   int // from 1
	Detail string
}

// String tells of the fault.
func (f Fault) String() string { return fmt.Sprintf("line %d: %s", f.Line, f.Detail) }

// Check finds all that is wrong with raw SecLang. What it finds nothing wrong with reaches no file, no program, no network and no environment, leaves the
// engine, its limits and its logs as they are, and engines compile it, but for what depends on an operator's or action's own text.
func Check(text string) []Fault {
	var r reader
	r.read(text, &changes{})
	return r.faults
}

// raw writes raw SecLang anew: rules one on a line, and what it changes of the Core Rule Set's into changes.
func raw(field, text string, changes *changes) (string, error) {
	if text == "" {
		return "", nil
	}
	var r reader
	r.read(text, changes)
	if len(r.faults) > 0 {
		return "", fmt.Errorf("%s: %s", field, r.faults[0])
	}
	return r.rules.String(), nil
}

// reader reads raw SecLang.
type reader struct {
	rules    strings.Builder
	faults   []Fault
	ids      map[int]int    // line of each rule
	markers  map[string]int // place of each
	skips    []skip
	chained  bool // the rule before goes on
	begun    int  // line of the chain's first rule
	count    int
	patterns int // what they cost together
}

// skip is a jump to a marker.
type skip struct {
	line, place int
	marker      string
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, Fault{line, fmt.Sprintf(format, args...)})
}

func (r *reader) read(text string, changes *changes) {
	r.ids, r.markers = map[int]int{}, map[string]int{}
	lines, err := directives(text)
	if err != nil {
		r.fault(1+strings.Count(text, "\n"), "the last line ends in a backslash, and nothing follows it")
	}
	for place, line := range lines {
		r.directive(line, place, changes)
	}
	if r.chained {
		r.fault(r.begun, "the chain isn't finished: its last rule must have no action chain")
	}
	for _, skip := range r.skips {
		if place, ok := r.markers[skip.marker]; !ok || place < skip.place {
			r.fault(skip.line, "no SecMarker %q follows; engines would skip all that is left", skip.marker)
		}
	}
	if r.count > maxRawRules {
		r.fault(1, "has %d rules, of %d at most", r.count, maxRawRules)
	}
	if r.patterns > MaxPatterns {
		r.fault(1, "its regular expressions cost too much together: about %d states, of %d at most", r.patterns, MaxPatterns)
	}
}

// allowed are the directives that raw SecLang may have, in lower case.
var allowed = map[string]func(*reader, directive, int, *changes) error{
	"secrule":                  (*reader).rule,
	"secaction":                (*reader).rule,
	"secmarker":                (*reader).marker,
	"secruleremovebyid":        (*reader).removeByID,
	"secruleremovebytag":       (*reader).removeByTag,
	"secruleupdatetargetbyid":  (*reader).updateByID,
	"secruleupdatetargetbytag": (*reader).updateByTag,
}

const allowedDirectives = "SecRule, SecAction, SecMarker, SecRuleRemoveById, SecRuleRemoveByTag, SecRuleUpdateTargetById and SecRuleUpdateTargetByTag"

func (r *reader) directive(line directive, place int, changes *changes) {
	if len(line.rest) > maxRawLine {
		r.fault(line.line, "is longer than %d bytes; say it in several rules", maxRawLine)
		return
	}
	if strings.ContainsFunc(line.String(), unicode.IsControl) {
		r.fault(line.line, `holds a control character; write "\t" or the like in a pattern, and blanks elsewhere`)
		return
	}
	name := strings.ToLower(line.name)
	handle, ok := allowed[name]
	if !ok {
		r.fault(line.line, "%q isn't allowed; raw rules may have %s", shortened(line.name), allowedDirectives)
		return
	}
	if r.chained && name != "secrule" && name != "secaction" {
		r.fault(line.line, "stands within a chain; finish it first")
		r.chained = false
	}
	if err := handle(r, line, place, changes); err != nil {
		r.fault(line.line, "%s", err)
	}
}

var markerName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (r *reader) marker(line directive, place int, _ *changes) error {
	name := line.rest
	if quoted, ok := unquoted(name); ok {
		name = quoted
	}
	if !markerName.MatchString(name) {
		return errors.New("a marker's name has letters, digits, underscores, dots and hyphens, 64 at most")
	}
	r.markers[name] = place
	fmt.Fprintf(&r.rules, "SecMarker \"%s\"\n", name)
	return nil
}

func (*reader) removeByID(line directive, _ int, changes *changes) error {
	var all []int
	for _, text := range strings.Fields(strings.Trim(line.rest, `"`)) {
		ids, err := SelectRules(text)
		if err != nil {
			return err
		}
		all = append(all, ids...)
	}
	if len(all) == 0 {
		return errors.New("names no rule")
	}
	changes.removed = append(changes.removed, WithFollowers(all)...)
	return nil
}

func (*reader) removeByTag(line directive, _ int, changes *changes) error {
	ids, err := tagged(strings.Trim(line.rest, `"`))
	if err != nil {
		return err
	}
	changes.removed = append(changes.removed, WithFollowers(ids)...)
	return nil
}

// tagged are the rules with a tag.
func tagged(tag string) ([]int, error) {
	ids := SelectTag(tag)
	if len(ids) == 0 {
		return nil, fmt.Errorf("no rule of the Core Rule Set that finds anything has the tag %q", shortened(tag))
	}
	return ids, nil
}

func (r *reader) updateByID(line directive, _ int, changes *changes) error {
	fields := strings.Fields(line.rest)
	if len(fields) < 2 {
		return errors.New(`must be of the form: SecRuleUpdateTargetById 942100 "!ARGS:comment"`)
	}
	var all []int
	for _, text := range fields[:len(fields)-1] {
		ids, err := SelectRules(text)
		if err != nil {
			return err
		}
		all = append(all, ids...)
	}
	return r.update(all, fields[len(fields)-1], changes)
}

func (r *reader) updateByTag(line directive, _ int, changes *changes) error {
	fields := strings.Fields(line.rest)
	if len(fields) != 2 {
		return errors.New(`must be of the form: SecRuleUpdateTargetByTag attack-sqli "!ARGS:comment"`)
	}
	ids, err := tagged(strings.Trim(fields[0], `"`))
	if err != nil {
		return err
	}
	return r.update(ids, fields[1], changes)
}

func (r *reader) update(ids []int, text string, changes *changes) error {
	variables, cost, err := variablesOf(strings.Trim(text, `"`))
	if err != nil {
		return err
	}
	r.patterns += cost
	for _, id := range ids {
		changes.target(id, variables...)
	}
	return nil
}

// rule reads a SecRule or SecAction and writes it anew.
func (r *reader) rule(line directive, place int, _ *changes) error {
	linked := r.chained
	if !linked {
		r.begun = line.line
		r.count++
	}
	s, err := line.statement()
	if err != nil {
		r.chained = false
		return err
	}
	var text strings.Builder
	if strings.EqualFold(line.name, "SecAction") {
		text.WriteString("SecAction")
	} else {
		variables, cost, err := variablesOf(s.variables)
		if err != nil {
			return err
		}
		r.patterns += cost
		operator, cost, err := operatorOf(s.operator)
		if err != nil {
			return err
		}
		r.patterns += cost
		fmt.Fprintf(&text, `SecRule %s "%s"`, strings.Join(variables, "|"), strings.ReplaceAll(operator, `"`, `\"`))
	}
	actions, err := r.actions(line, place, s.actions, linked)
	if err != nil {
		return err
	}
	if actions != "" {
		fmt.Fprintf(&text, ` "%s"`, actions)
	}
	r.rules.WriteString(text.String())
	r.rules.WriteByte('\n')
	return nil
}

// actions checks a rule's actions and writes them anew.
func (r *reader) actions(line directive, place int, actions []action, linked bool) (string, error) {
	r.chained = false
	if len(actions) > maxActions {
		return "", fmt.Errorf("has %d actions, of %d at most", len(actions), maxActions)
	}
	var written []string
	seen := map[string]bool{}
	var first error
	for _, a := range actions {
		check, ok := allowedActions[a.name]
		switch {
		case !ok:
			return "", fmt.Errorf("the action %q isn't allowed; raw rules may have %s", shortened(a.name), actionNames)
		case disruptive[a.name] && seen["disruptive"]:
			return "", errors.New("says twice what follows from it")
		case disruptive[a.name] && linked:
			return "", fmt.Errorf("%q stands in the first rule of a chain alone", a.name)
		case linked && (a.name == "id" || a.name == "phase"):
			return "", fmt.Errorf("%q stands in the first rule of a chain alone", a.name)
		}
		if err := errors.Join(plainValue(a), check(a.value)); err != nil && first == nil {
			first = fmt.Errorf("the action %q %w", a.name, err)
		}
		seen[a.name] = true
		seen["disruptive"] = seen["disruptive"] || disruptive[a.name]
		switch a.name {
		case "chain":
			r.chained = true
		case "skipafter":
			r.skips = append(r.skips, skip{line.line, place, a.value})
		case "id":
			first = errors.Join(first, r.identified(line, a.value))
		}
		written = append(written, a.String())
	}
	if !linked && !seen["id"] {
		first = errors.Join(first, errors.New("has no id"))
	}
	return strings.Join(written, ","), first
}

// identified keeps an id from being given twice.
func (r *reader) identified(line directive, text string) error {
	id := number(text)
	if other, twice := r.ids[id]; twice {
		return fmt.Errorf("has the id %d, as the rule in line %d has", id, other)
	}
	r.ids[id] = line.line
	return nil
}

// String writes the action as engines read it.
func (a action) String() string {
	if a.value == "" {
		return a.name
	}
	return a.name + ":'" + a.value + "'"
}

// plainValue refuses what could end a value, or the list that it stands in.
func plainValue(a action) error {
	for i := range len(a.value) {
		switch c := a.value[i]; {
		case c == '\'' || c == '"' || c == '`':
			return errors.New("holds a quote")
		case c == '\\' && (i+1 == len(a.value) || a.value[i+1] == ',' || a.value[i+1] == '\''):
			return errors.New("holds a backslash that escapes what ends it")
		}
	}
	return macros(a.value)
}

// macros refuses what is expanded to something that rules don't get to see.
func macros(text string) error {
	for {
		_, rest, found := strings.Cut(text, "%{")
		if !found {
			return nil
		}
		name, behind, closed := strings.Cut(rest, "}")
		if !closed {
			return errors.New("holds a %{…} that isn't closed")
		}
		variable, _, _ := strings.Cut(name, ".")
		if !allowedVariables[strings.ToUpper(variable)] {
			return fmt.Errorf("expands %q, which raw rules don't get to see", shortened(name))
		}
		text = behind
	}
}

func shortened(text string) string {
	const most = 40
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return text
}

// within tells whether a text is a number in a range.
func numberWithin(text string, least, most int) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most || strconv.Itoa(n) != text {
		return fmt.Errorf("must be a number from %d to %d", least, most)
	}
	return nil
}
