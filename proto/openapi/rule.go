package openapi

import (
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rule is a compiled schema as it is evaluated.
type rule struct {
	never bool // nothing is valid
	kinds uint8
	whole bool // of numbers, only those without a fraction
	enum  map[string]struct{}

	format func(string) bool
	name   string // of the format

	minimum, maximum, above, below, multipleOf *decimal
	bounded                                    bool // by one of them
	minLength, maxLength                       *int
	pattern                                    *pattern

	minItems, maxItems, minContains, maxContains *int
	unique                                       bool
	prefix                                       []*rule
	items, contains, otherItems                  *rule

	minProperties, maxProperties *int
	required                     []string
	places                       map[string]int // of the first that are required
	properties                   map[string]*rule
	patterns                     []patternRule
	additional, names            *rule
	otherProperties              *rule
	dependentRequired            map[string][]string
	dependent                    map[string]*rule

	ref                    *rule
	allOf, anyOf, oneOf    []*rule
	not, when, then, else_ *rule

	readOnly, writeOnly bool

	settled bool
	allowed uint8 // kinds, all that applies in the same place considered
}

type patternRule struct {
	pattern *pattern
	rule    *rule
}

// maxPlaces is how many required members are looked for while the others are evaluated; each further one is looked for by itself.
const maxPlaces = 64

// anyKind is the set of all.
const anyKind = 1<<Null | 1<<Boolean | 1<<Number | 1<<String | 1<<Array | 1<<Object

// inPlace returns the rules that it applies to the same value.
func (r *rule) inPlace() []*rule {
	all := slices.Concat(r.allOf, r.anyOf, r.oneOf)
	for _, one := range [...]*rule{r.ref, r.not, r.when, r.then, r.else_} {
		if one != nil {
			all = append(all, one)
		}
	}
	for _, name := range sorted(r.dependent) {
		all = append(all, r.dependent[name])
	}
	return all
}

// ruler makes rules of the library's schemas.
type ruler struct{ known map[*jsonschema.Schema]*rule }

func (u *ruler) rule(s *jsonschema.Schema) *rule {
	if s == nil {
		return nil
	}
	if r := u.known[s]; r != nil {
		return r
	}
	r := &rule{kinds: anyKind}
	u.known[s] = r
	if s.Bool != nil {
		r.never = !*s.Bool
		return r
	}
	r.scalars(s)
	u.arrays(r, s)
	u.objects(r, s)
	r.ref, r.not = u.rule(s.Ref), u.rule(s.Not)
	r.allOf, r.anyOf, r.oneOf = u.rules(s.AllOf), u.rules(s.AnyOf), u.rules(s.OneOf)
	if r.when = u.rule(s.If); r.when != nil {
		r.then, r.else_ = u.rule(s.Then), u.rule(s.Else)
	}
	return r
}

func (u *ruler) rules(all []*jsonschema.Schema) []*rule {
	if len(all) == 0 {
		return nil
	}
	rules := make([]*rule, len(all))
	for i, s := range all {
		rules[i] = u.rule(s)
	}
	return rules
}

func (r *rule) scalars(s *jsonschema.Schema) {
	if s.Types != nil && !s.Types.IsEmpty() {
		r.setKinds(s.Types.ToStrings())
	}
	switch {
	case s.Const != nil:
		r.enum = canonicalSet([]any{*s.Const})
	case s.Enum != nil:
		r.enum = canonicalSet(s.Enum.Values)
	}
	if s.Enum != nil && s.Const != nil && !contains(canonicalSet(s.Enum.Values), r.enum) {
		r.never = true
	}
	if s.Format != nil {
		validate := s.Format.Validate
		r.name, r.format = s.Format.Name, func(text string) bool { return validate(text) == nil }
	}
	r.minimum, r.maximum, r.multipleOf = ratio(s.Minimum), ratio(s.Maximum), ratio(s.MultipleOf)
	r.above, r.below = ratio(s.ExclusiveMinimum), ratio(s.ExclusiveMaximum)
	r.bounded = r.minimum != nil || r.maximum != nil || r.above != nil || r.below != nil || r.multipleOf != nil
	r.minLength, r.maxLength = s.MinLength, s.MaxLength
	r.pattern, _ = s.Pattern.(*pattern)
	r.readOnly, r.writeOnly = s.ReadOnly, s.WriteOnly
}

func contains(all, some map[string]struct{}) bool {
	for text := range some {
		if _, has := all[text]; !has {
			return false
		}
	}
	return true
}

func (r *rule) setKinds(names []string) {
	r.kinds, r.whole = 0, slices.Contains(names, "integer") && !slices.Contains(names, "number")
	for _, name := range names {
		switch name {
		case "null":
			r.kinds |= 1 << Null
		case "boolean":
			r.kinds |= 1 << Boolean
		case "number", "integer":
			r.kinds |= 1 << Number
		case "string":
			r.kinds |= 1 << String
		case "array":
			r.kinds |= 1 << Array
		case "object":
			r.kinds |= 1 << Object
		}
	}
}

func (u *ruler) arrays(r *rule, s *jsonschema.Schema) {
	r.minItems, r.maxItems, r.unique = s.MinItems, s.MaxItems, s.UniqueItems
	r.prefix, r.items, r.otherItems = u.rules(s.PrefixItems), u.rule(s.Items2020), u.rule(s.UnevaluatedItems)
	if r.contains = u.rule(s.Contains); r.contains != nil {
		r.minContains, r.maxContains = s.MinContains, s.MaxContains
		if r.minContains == nil {
			one := 1
			r.minContains = &one
		}
	}
}

func (u *ruler) objects(r *rule, s *jsonschema.Schema) {
	r.minProperties, r.maxProperties, r.required = s.MinProperties, s.MaxProperties, s.Required
	r.names, r.otherProperties, r.dependentRequired = u.rule(s.PropertyNames), u.rule(s.UnevaluatedProperties), s.DependentRequired
	r.places = make(map[string]int, len(r.required))
	for at, name := range r.required[:min(len(r.required), maxPlaces)] {
		r.places[name] = at
	}
	switch additional := s.AdditionalProperties.(type) {
	case bool:
		r.additional = &rule{kinds: anyKind, never: !additional}
	case *jsonschema.Schema:
		r.additional = u.rule(additional)
	}
	r.properties, r.dependent = u.byName(s.Properties), u.byName(s.DependentSchemas)
	for regex, schema := range s.PatternProperties {
		if p, ok := regex.(*pattern); ok {
			r.patterns = append(r.patterns, patternRule{p, u.rule(schema)})
		}
	}
	slices.SortFunc(r.patterns, func(a, b patternRule) int { return strings.Compare(a.pattern.String(), b.pattern.String()) })
}

func (u *ruler) byName(all map[string]*jsonschema.Schema) map[string]*rule {
	if len(all) == 0 {
		return nil
	}
	rules := make(map[string]*rule, len(all))
	for name, s := range all {
		rules[name] = u.rule(s)
	}
	return rules
}

// ratio writes a bound as a decimal: it came from one.
func ratio(r *big.Rat) *decimal {
	if r == nil {
		return nil
	}
	digits, _ := r.FloatPrec()
	d, _ := readNumber(r.FloatString(digits))
	return &d
}

func canonicalSet(values []any) map[string]struct{} {
	set := make(map[string]struct{}, len(values))
	for _, value := range values {
		t := plain(value)
		c := canonical[*tree]{steps: maxDocumentSteps}
		c.write(&t)
		set[string(c.text)] = struct{}{}
	}
	return set
}
