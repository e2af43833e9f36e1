package openapi

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// formats are those that are asserted, where a text has one; int32 and int64 of numbers. Compiling a caller's regular expression isn't among them.
var formats = []string{
	"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uuid", "json-pointer", formatInt32, formatInt64,
}

const (
	formatInt32 = "int32"
	formatInt64 = "int64"
)

// schemasAt is where the schemas of a document are, for the library: nothing is ever asked there.
const schemasAt = "openapi://description/schemas"

var errNothingFetched = errors.New("nothing is fetched")

// noLoader fetches nothing.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errNothingFetched }

// compile has the library compile what was written, and returns the rules by the numbers of the schemas.
func (d *dialect) compile() []*rule {
	if len(d.all) > 0 {
		return nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	compiler.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) { return compilePattern(text) })
	for _, name := range [...]string{formatInt32, formatInt64} {
		compiler.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }}) // told by the rule
	}
	if err := compiler.AddResource(schemasAt, map[string]any{"$defs": d.written}); err != nil {
		d.report(nil, err)
		return nil
	}
	ruler := ruler{known: map[*jsonschema.Schema]*rule{}}
	rules := make([]*rule, len(d.places))
	for number := range d.places {
		schema, err := compiler.Compile(schemasAt + "#/$defs/" + schemaName(number))
		if err != nil {
			d.report(d.places[number], err)
			return nil
		}
		rules[number] = ruler.rule(schema)
	}
	if rules = d.refuseLoops(rules); rules != nil {
		for _, r := range ruler.known {
			r.settle()
		}
	}
	return rules
}

// report tells of what the library found, each of it where it stands.
func (d *dialect) report(at *place, err error) {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		err = invalid.Err
	}
	var broken *jsonschema.ValidationError
	if !errors.As(err, &broken) {
		d.faults.add(at, "the schema can't be compiled: %s", cut(err.Error()))
		return
	}
	printer := message.NewPrinter(language.English)
	for leaf := range leaves(broken) {
		pointer := d.origin(leaf.InstanceLocation)
		d.addAt(pointer, "the schema is broken: "+cut(leaf.ErrorKind.LocalizedString(printer)))
	}
}

func leaves(e *jsonschema.ValidationError) func(yield func(*jsonschema.ValidationError) bool) {
	return func(yield func(*jsonschema.ValidationError) bool) { walkLeaves(e, yield) }
}

func walkLeaves(e *jsonschema.ValidationError, yield func(*jsonschema.ValidationError) bool) bool {
	if len(e.Causes) == 0 {
		return yield(e)
	}
	for _, cause := range e.Causes {
		if !walkLeaves(cause, yield) {
			return false
		}
	}
	return true
}

// origin returns where in the document something stands that the library found under "$defs".
func (d *dialect) origin(location []string) string {
	if len(location) < 2 {
		return ""
	}
	for number, at := range d.places {
		if schemaName(number) == location[1] {
			for _, token := range location[2:] {
				at = at.at(token)
			}
			return at.String()
		}
	}
	return ""
}

// refuseLoops refuses schemas that apply themselves to the very value that they are applied to: no value would ever be through with them.
func (d *dialect) refuseLoops(rules []*rule) []*rule {
	state := map[*rule]int{} // 1: under way, 2: done
	var loops func(r *rule) bool
	loops = func(r *rule) bool {
		if state[r] != 0 {
			return state[r] == 1
		}
		state[r] = 1
		for _, applied := range r.inPlace() {
			if loops(applied) {
				return true
			}
		}
		state[r] = 2
		return false
	}
	for number, r := range rules {
		if loops(r) {
			d.faults.add(d.places[number], "the schema refers to itself for one and the same value")
			return nil
		}
	}
	return rules
}

// plain turns what the library keeps of a constant into a tree.
func plain(value any) tree {
	switch value := value.(type) {
	case map[string]any:
		t := tree{kind: Object}
		for _, name := range sorted(value) {
			t.members = append(t.members, member{name, plain(value[name])})
		}
		return t
	case []any:
		t := tree{kind: Array}
		for _, item := range value {
			t.members = append(t.members, member{"", plain(item)})
		}
		return t
	case json.Number:
		return tree{kind: Number, text: value.String()}
	case string:
		return tree{kind: String, text: strings.Clone(value)}
	case bool:
		return tree{kind: Boolean, truth: value}
	}
	return tree{kind: Null}
}
