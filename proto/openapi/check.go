package openapi

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxBreaches is how many places that break a description are told of at once.
	MaxBreaches = 16
	// leastSteps are those that evaluating the smallest value may take, stepsPerByte those that each byte of it adds.
	leastSteps, stepsPerByte = 50_000, 2
	// maxDocumentSteps bound the evaluation of what stands in a document itself.
	maxDocumentSteps = leastSteps + stepsPerByte*MaxDocument
	// maxWhere is how many bytes of a pointer are told.
	maxWhere = 256
)

// Breach is one place that breaks a description. It holds no value.
type Breach struct {
	// Where it is: "/items/0/price" in a body ("" is all of it), "query.limit", "header.X-Tenant", "path.id", "cookie.session".
	Where string
	// Described is the same with the names that aren't in the description left out ("/labels/*"): names that callers made up may be as telling as values.
	Described string
	// Rule that is broken: "type", "required", "maximum".
	Rule string
	// Message says what is asked for.
	Message string
}

// Rules that no keyword of a schema says.
const (
	// RuleSteps is broken by a value that takes too many steps to evaluate.
	RuleSteps = "steps"
	// RuleNoValue is broken where nothing is allowed.
	RuleNoValue = "false"
)

// Direction is which way a value goes.
type Direction uint8

// Directions.
const (
	ToService Direction = iota
	ToCaller
)

// run is the evaluation of one value.
type run[V Value[V]] struct {
	direction Direction
	steps     int
	where     []token
	breaches  []Breach
	silent    int    // depth of trials, whose breaches aren't told
	scratch   []byte // for one text at a time
}

type token struct {
	name      string
	index     int // -1: it is a name
	described bool
}

// evaluate holds a value against a rule. Size is that of the value as it was written, in bytes.
func evaluate[V Value[V]](r *rule, value V, size int, direction Direction) []Breach {
	e := run[V]{direction: direction, steps: leastSteps + stepsPerByte*size}
	ok := e.check(r, value, nil)
	if e.steps < 0 {
		return append(e.breaches[:min(len(e.breaches), MaxBreaches-1)], Breach{Rule: RuleSteps, Message: "takes too many steps to be held against the description"})
	}
	if !ok && len(e.breaches) == 0 {
		e.breach(RuleNoValue, "isn't what the description asks for")
	}
	return e.breaches
}

// spend takes steps, and tells whether the evaluation goes on.
func (e *run[V]) spend(steps int) bool {
	e.steps -= steps
	return e.steps >= 0
}

// full tells whether nothing more is to be found out: the place is known to be broken, and nobody wants to know more, or no more is told.
func (e *run[V]) full() bool { return e.silent > 0 || len(e.breaches) >= MaxBreaches || e.steps < 0 }

// breach notes that the value at hand breaks a rule. It returns false.
func (e *run[V]) breach(name, said string) bool {
	if e.silent == 0 && len(e.breaches) < MaxBreaches {
		where, described := pointers(e.where)
		e.breaches = append(e.breaches, Breach{Where: where, Described: described, Rule: name, Message: said})
	}
	return false
}

func pointers(tokens []token) (where, described string) {
	var full, known strings.Builder
	for _, t := range tokens {
		if full.Len() > maxWhere {
			break
		}
		text := t.name
		if t.index >= 0 {
			text = strconv.Itoa(t.index)
		}
		text = "/" + escaper.Replace(text)
		full.WriteString(text)
		if !t.described {
			text = "/*"
		}
		known.WriteString(text)
	}
	return shorten(full.String()), shorten(known.String())
}

func shorten(where string) string {
	if len(where) > maxWhere {
		where = strings.ToValidUTF8(where[:maxWhere], "")
	}
	return where
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// check holds a value against a rule. Marks, if anybody wants them, are of the members or items that a rule in the same place has looked at.
func (e *run[V]) check(r *rule, value V, marks []bool) bool {
	if !e.spend(1) {
		return false
	}
	if r.never {
		return e.breach(RuleNoValue, "nothing is allowed here")
	}
	kind := value.Kind()
	if r.kinds&(1<<kind) == 0 {
		return e.breach("type", "must be "+r.kindNames())
	}
	if r.otherProperties == nil && r.otherItems == nil || kind != Array && kind != Object {
		return e.keywords(r, kind, value, marks)
	}
	n := value.Len()
	if !e.spend(n / 8) {
		return false
	}
	own := make([]bool, n) // "unevaluated" is what this schema didn't look at, whatever those around it did
	ok := e.keywords(r, kind, value, own)
	for i := range marks {
		marks[i] = marks[i] || own[i]
	}
	return ok
}

func (e *run[V]) keywords(r *rule, kind Kind, value V, own []bool) bool {
	ok := e.oneOfEnum(r, value) && e.byKind(r, kind, value, own)
	if !ok && e.full() {
		return false
	}
	if !e.applied(r, value, own) {
		ok = false
		if e.full() {
			return false
		}
	}
	return e.others(r, kind, value, own) && ok
}

func (e *run[V]) byKind(r *rule, kind Kind, value V, marks []bool) bool {
	switch kind {
	case Number:
		return e.number(r, value.Text())
	case String:
		return e.text(r, value.Text())
	case Array:
		return e.array(r, value, marks)
	case Object:
		return e.object(r, value, marks)
	case Null, Boolean:
	}
	return true
}

func (r *rule) kindNames() string {
	names := make([]string, 0, 6)
	for kind, name := range [...]string{"null", "a boolean", "a number", "a text", "a list", "an object"} {
		if r.kinds&(1<<kind) == 0 {
			continue
		}
		if kind == int(Number) && r.whole {
			name = "a whole number"
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

func (e *run[V]) oneOfEnum(r *rule, value V) bool {
	if r.enum == nil {
		return true
	}
	c := canonical[V]{text: e.scratch[:0], steps: e.steps}
	c.write(value)
	e.scratch, e.steps = c.text, c.steps
	if e.steps < 0 {
		return false
	}
	if _, is := r.enum[string(c.text)]; !is {
		return e.breach("enum", "must be one of the values that the description lists")
	}
	return true
}

func (e *run[V]) number(r *rule, text string) bool {
	if !r.bounded && !r.whole && r.format == nil {
		return true
	}
	if !e.spend(len(text) / 16) {
		return false
	}
	d, isNumber := readNumber(text)
	switch {
	case !isNumber || r.whole && !d.whole():
		return e.breach("type", "must be a whole number")
	case r.tooSmall(d):
		return e.breach("minimum", "is below the least that the description allows")
	case r.tooLarge(d):
		return e.breach("maximum", "is above the greatest that the description allows")
	case !inFormat(r.name, d):
		return e.breach("format", "must be a number of the format "+r.name)
	case r.multipleOf != nil:
		if is, known := d.multipleOf(*r.multipleOf); !is || !known {
			return e.breach("multipleOf", "must be a multiple of what the description says")
		}
	}
	return true
}

func (r *rule) tooSmall(d decimal) bool {
	return r.minimum != nil && d.compare(*r.minimum) < 0 || r.above != nil && d.compare(*r.above) <= 0
}

func (r *rule) tooLarge(d decimal) bool {
	return r.maximum != nil && d.compare(*r.maximum) > 0 || r.below != nil && d.compare(*r.below) >= 0
}

// text holds a text against a rule; what it takes grows with its length.
func (e *run[V]) text(r *rule, text string) bool {
	if !e.spend(len(text) / 64) {
		return false
	}
	if r.minLength != nil || r.maxLength != nil {
		length := utf8.RuneCountInString(text)
		if r.minLength != nil && length < *r.minLength {
			return e.breach("minLength", "must have at least "+count(*r.minLength, "character"))
		}
		if r.maxLength != nil && length > *r.maxLength {
			return e.breach("maxLength", "must have at most "+count(*r.maxLength, "character"))
		}
	}
	if r.pattern != nil {
		if !e.matches(r.pattern, text) {
			return e.steps >= 0 && e.breach("pattern", "must match the pattern that the description has")
		}
	}
	if r.format != nil && !isNumberFormat(r.name) && !r.format(text) {
		return e.breach("format", "must be of the format "+r.name)
	}
	return true
}

func (e *run[V]) matches(p *pattern, text string) bool {
	return e.spend(1+len(text)*p.instructions/256) && p.MatchString(text)
}

func (e *run[V]) array(r *rule, value V, marks []bool) bool {
	ok := e.items(r, value)
	if !ok && e.full() {
		return false
	}
	if r.unique && !e.uniqueItems(value) {
		ok = false
	}
	if r.items == nil && r.prefix == nil {
		return e.contained(r, value, marks) && ok
	}
	i := -1
	for _, item, next, more := value.Next(0); more; _, item, next, more = value.Next(next) {
		i++
		if !ok && e.full() {
			return false
		}
		applies := r.items
		if i < len(r.prefix) {
			applies = r.prefix[i]
		}
		if applies == nil {
			continue
		}
		mark(marks, i)
		if !e.below(applies, item, token{index: i, described: true}) {
			ok = false
		}
	}
	if !ok && e.full() {
		return false
	}
	return e.contained(r, value, marks) && ok
}

// items counts them, where anybody bounds them.
func (e *run[V]) items(r *rule, value V) bool {
	if r.minItems == nil && r.maxItems == nil {
		return true
	}
	n := value.Len()
	ok := e.spend(n / 64)
	if r.minItems != nil && n < *r.minItems {
		ok = e.breach("minItems", "must have at least "+count(*r.minItems, "entry"))
	}
	if r.maxItems != nil && n > *r.maxItems {
		ok = e.breach("maxItems", "must have at most "+count(*r.maxItems, "entry"))
	}
	return ok
}

func mark(marks []bool, i int) {
	if marks != nil {
		marks[i] = true
	}
}

// below holds a member or an item against its rule.
func (e *run[V]) below(r *rule, value V, at token) bool {
	e.where = append(e.where, at)
	ok := e.check(r, value, nil)
	e.where = e.where[:len(e.where)-1]
	return ok
}

func (e *run[V]) contained(r *rule, value V, marks []bool) bool {
	if r.contains == nil {
		return true
	}
	i, found := -1, 0
	for _, item, next, more := value.Next(0); more; _, item, next, more = value.Next(next) {
		i++
		if e.steps < 0 {
			return false
		}
		if e.would(r.contains, item, nil) {
			found++
			mark(marks, i)
		}
	}
	if found < *r.minContains || r.maxContains != nil && found > *r.maxContains {
		return e.breach("contains", "must have as many entries of the kind that the description asks for")
	}
	return true
}

// uniqueItems takes as many steps as there are values in it, at any depth.
func (e *run[V]) uniqueItems(value V) bool {
	seen := make(map[string]struct{})
	c := canonical[V]{steps: e.steps}
	for _, item, next, more := value.Next(0); more; _, item, next, more = value.Next(next) {
		c.text = c.text[:0]
		c.write(item)
		if c.steps -= 2 + len(c.text)/64; c.steps < 0 {
			break
		}
		if _, twice := seen[string(c.text)]; twice {
			e.steps = c.steps
			return e.breach("uniqueItems", "must not have an entry twice")
		}
		seen[string(c.text)] = struct{}{}
	}
	e.steps = c.steps
	return e.steps >= 0
}

// would tries a rule, and tells of nothing.
func (e *run[V]) would(r *rule, value V, marks []bool) bool {
	e.silent++
	ok := e.check(r, value, marks)
	e.silent--
	return ok
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if what == "entry" {
		return strconv.Itoa(n) + " entries"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func isNumberFormat(name string) bool { return name == formatInt32 || name == formatInt64 }

// inFormat tells whether a number is one that its format holds; formats of texts say nothing of it.
func inFormat(name string, d decimal) bool {
	switch name {
	case formatInt32:
		return d.whole() && d.compare(leastInt32) >= 0 && d.compare(greatestInt32) <= 0
	case formatInt64:
		return d.whole() && d.compare(leastInt64) >= 0 && d.compare(greatestInt64) <= 0
	}
	return true
}

var (
	leastInt32, greatestInt32 = mustNumber("-2147483648"), mustNumber("2147483647")
	leastInt64, greatestInt64 = mustNumber("-9223372036854775808"), mustNumber("9223372036854775807")
)

func mustNumber(text string) decimal {
	d, _ := readNumber(text)
	return d
}

// canonical writes values so that equal ones have equal texts (JSON Schema 2020-12 Core §4.2.2), each value in one step.
type canonical[V Value[V]] struct {
	text  []byte
	steps int
}

func (c *canonical[V]) write(value V) {
	if c.steps--; c.steps < 0 {
		return
	}
	switch value.Kind() {
	case Null:
		c.text = append(c.text, 'n')
	case Boolean:
		c.text = strconv.AppendBool(c.text, value.Truth())
	case Number:
		d, _ := readNumber(value.Text())
		c.string('#', d.text())
	case String:
		c.string('"', value.Text())
	case Array:
		c.text = append(c.text, '[')
		for _, item, next, more := value.Next(0); more; _, item, next, more = value.Next(next) {
			c.write(item)
		}
		c.text = append(c.text, ']')
	case Object:
		c.object(value)
	}
}

// string writes a text behind its length, so that nothing in it is taken for what follows.
func (c *canonical[V]) string(sort byte, text string) {
	c.steps -= len(text) / 64
	c.text = append(c.text, sort)
	c.text = strconv.AppendInt(c.text, int64(len(text)), 10)
	c.text = append(c.text, ':')
	c.text = append(c.text, text...)
}

func (c *canonical[V]) object(value V) {
	if c.steps -= value.Len(); c.steps < 0 {
		return
	}
	members := make([]named[V], 0, value.Len())
	for name, member, next, more := value.Next(0); more; name, member, next, more = value.Next(next) {
		members = append(members, named[V]{name, member})
	}
	slices.SortStableFunc(members, func(a, b named[V]) int { return strings.Compare(a.name, b.name) })
	c.text = append(c.text, '{')
	for _, m := range members {
		c.string('"', m.name)
		c.write(m.value)
	}
	c.text = append(c.text, '}')
}

type named[V any] struct {
	name  string
	value V
}
