package openapi

import "slices"

// object holds an object against a rule. A name that is there twice is held against it each time.
func (e *run[V]) object(r *rule, value V, marks []bool) bool {
	ok := e.size(r, value)
	if !ok && e.full() {
		return false
	}
	seen, fit := e.members(r, value, marks)
	if ok = ok && fit; !ok && e.full() {
		return false
	}
	return e.present(r, value, seen) && ok
}

// size counts the members, where anybody bounds them.
func (e *run[V]) size(r *rule, value V) bool {
	if r.minProperties == nil && r.maxProperties == nil {
		return true
	}
	n := value.Len()
	ok := e.spend(n / 64)
	if r.minProperties != nil && n < *r.minProperties {
		ok = e.breach("minProperties", "must have at least "+count(*r.minProperties, "member"))
	}
	if r.maxProperties != nil && n > *r.maxProperties {
		ok = e.breach("maxProperties", "must have at most "+count(*r.maxProperties, "member"))
	}
	return ok
}

// members holds each against its rules, and notes which of those that must be there are.
func (e *run[V]) members(r *rule, value V, marks []bool) (seen uint64, ok bool) {
	if r.properties == nil && r.patterns == nil && r.additional == nil && r.names == nil && len(r.required) == 0 {
		return 0, true
	}
	ok = true
	i := -1
	for name, member, next, more := value.Next(0); more; name, member, next, more = value.Next(next) {
		i++
		if !ok && e.full() || !e.spend(1) {
			return seen, false
		}
		if at, must := r.places[name]; must {
			seen |= 1 << at
		}
		if r.names != nil && !e.named(r.names, name) {
			e.where = append(e.where, token{name: name, index: -1})
			ok = e.breach("propertyNames", "has a name that the description doesn't allow")
			e.where = e.where[:len(e.where)-1]
		}
		if !e.member(r, name, member, i, marks) {
			ok = false
		}
	}
	return seen, ok
}

// named tries a rule on a name.
func (e *run[V]) named(r *rule, name string) bool {
	of := run[*tree]{direction: e.direction, steps: e.steps, silent: 1}
	ok := of.check(r, &tree{kind: String, text: name}, nil)
	e.steps = of.steps
	return ok
}

// member holds one against the rules of its name, of the patterns that its name matches, or of all others.
func (e *run[V]) member(r *rule, name string, member V, i int, marks []bool) bool {
	ok, known := true, false
	if own, has := r.properties[name]; has {
		known = true
		ok = e.below(own, member, token{name: name, index: -1, described: true})
	}
	for _, p := range r.patterns {
		if !ok && e.full() {
			return false
		}
		if e.matches(p.pattern, name) {
			known = true
			ok = e.below(p.rule, member, token{name: name, index: -1}) && ok
		}
	}
	if !known && r.additional != nil {
		known = true
		ok = e.unknown("additionalProperties", r.additional, name, member)
	}
	if known {
		mark(marks, i)
	}
	return ok
}

// unknown holds a member against a rule for those that aren't described.
func (e *run[V]) unknown(keyword string, r *rule, name string, member V) bool {
	at := token{name: name, index: -1}
	if !r.never {
		return e.below(r, member, at)
	}
	e.where = append(e.where, at)
	e.breach(keyword, "isn't described, and nothing else is allowed here")
	e.where = e.where[:len(e.where)-1]
	return false
}

// present looks for what must be there.
func (e *run[V]) present(r *rule, value V, seen uint64) bool {
	ok := true
	for at, name := range r.required {
		if !ok && e.full() {
			return false
		}
		if there := at < maxPlaces && seen&(1<<at) != 0 || at >= maxPlaces && e.has(value, name); !there && e.asksFor(r.properties[name]) {
			ok = e.missing(name)
		}
	}
	if r.dependentRequired == nil {
		return ok
	}
	for _, name := range sorted(r.dependentRequired) {
		if !e.has(value, name) {
			continue
		}
		for _, needed := range r.dependentRequired[name] {
			if !ok && e.full() {
				return false
			}
			if !e.has(value, needed) {
				ok = e.missing(needed)
			}
		}
	}
	return ok
}

func (e *run[V]) missing(name string) bool {
	e.where = append(e.where, token{name: name, index: -1, described: true})
	e.breach("required", "is required")
	e.where = e.where[:len(e.where)-1]
	return false
}

// asksFor tells whether a member that is required is so in this direction: those that only services set aren't in requests, and those that only callers give aren't in
// answers (OpenAPI 3.0.3, Schema Object).
func (e *run[V]) asksFor(r *rule) bool {
	for depth := 0; r != nil && depth < maxDepth; depth++ {
		if r.readOnly && e.direction == ToService || r.writeOnly && e.direction == ToCaller {
			return false
		}
		r = r.ref
	}
	return true
}

func (e *run[V]) has(value V, name string) bool {
	i := 0
	for there, _, next, more := value.Next(0); more; there, _, next, more = value.Next(next) {
		if there == name {
			return true
		}
		if i++; i%8 == 0 && !e.spend(1) {
			return false
		}
	}
	return false
}

// applied holds a value against the rules that apply to it in the same place.
func (e *run[V]) applied(r *rule, value V, marks []bool) bool {
	ok := r.ref == nil || e.check(r.ref, value, marks)
	for _, each := range r.allOf {
		if !ok && e.full() {
			return false
		}
		ok = e.check(each, value, marks) && ok
	}
	if !ok && e.full() {
		return false
	}
	if len(r.anyOf) > 0 && e.fitting(r.anyOf, value, marks) == 0 {
		ok = e.oneBranch("anyOf", r.anyOf, value)
	}
	if len(r.oneOf) > 0 && (ok || !e.full()) {
		switch e.fitting(r.oneOf, value, marks) {
		case 0:
			ok = e.oneBranch("oneOf", r.oneOf, value)
		case 1:
		default:
			ok = e.breach("oneOf", "must be of one of the kinds that the description lists, and is of several")
		}
	}
	if r.not != nil && e.would(r.not, value, nil) {
		ok = e.breach("not", "is what the description rules out")
	}
	return e.conditions(r, value, marks) && ok
}

func (e *run[V]) conditions(r *rule, value V, marks []bool) bool {
	ok := true
	if r.when != nil {
		next := r.else_
		if e.trial(r.when, value, marks) {
			next = r.then
		}
		ok = next == nil || e.check(next, value, marks)
	}
	if r.dependent == nil || value.Kind() != Object {
		return ok
	}
	for _, name := range sorted(r.dependent) {
		if !ok && e.full() {
			return false
		}
		if e.has(value, name) {
			ok = e.check(r.dependent[name], value, marks) && ok
		}
	}
	return ok
}

// fitting counts the rules that hold, and marks what they looked at.
func (e *run[V]) fitting(rules []*rule, value V, marks []bool) int {
	n := 0
	for _, r := range rules {
		if e.steps < 0 {
			return 0
		}
		if e.trial(r, value, marks) {
			n++
		}
	}
	return n
}

// trial tries a rule, and marks what it looked at only if it holds.
func (e *run[V]) trial(r *rule, value V, marks []bool) bool {
	if marks == nil {
		return e.would(r, value, nil)
	}
	if !e.spend(len(marks) / 8) {
		return false
	}
	tried := slices.Clone(marks)
	if !e.would(r, value, tried) {
		return false
	}
	copy(marks, tried)
	return true
}

// oneBranch says that none of some rules holds. Where only one can be meant by the value's kind, that one says why.
func (e *run[V]) oneBranch(keyword string, rules []*rule, value V) bool {
	if e.full() {
		return false
	}
	var meant *rule
	for _, r := range rules {
		if r.accepts(value.Kind()) {
			if meant != nil {
				return e.breach(keyword, "must be of one of the kinds that the description lists")
			}
			meant = r
		}
	}
	if meant == nil || e.check(meant, value, nil) {
		return e.breach(keyword, "must be of one of the kinds that the description lists")
	}
	return false
}

// accepts tells whether values of a kind may be valid, as far as the rule itself and what it refers to say.
func (r *rule) accepts(kind Kind) bool {
	for depth := 0; r != nil && depth < maxDepth; depth++ {
		if r.never || r.kinds&(1<<kind) == 0 {
			return false
		}
		r = r.ref
	}
	return true
}

// others holds what no rule in the same place has looked at against the rule for that.
func (e *run[V]) others(r *rule, kind Kind, value V, marks []bool) bool {
	other := r.otherProperties
	if kind == Array {
		other = r.otherItems
	}
	if other == nil || kind != Array && kind != Object {
		return true
	}
	ok := true
	i := -1
	for name, member, next, more := value.Next(0); more; name, member, next, more = value.Next(next) {
		i++
		if !ok && e.full() {
			return false
		}
		if marks[i] {
			continue
		}
		marks[i] = true
		if kind == Object {
			ok = e.unknown("unevaluatedProperties", other, name, member) && ok
		} else {
			ok = e.below(other, member, token{index: i, described: true}) && ok
		}
	}
	return ok
}
