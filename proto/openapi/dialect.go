package openapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxSchemas is how many schemas a document has at the most, those within others and those that several references name counted each time.
	maxSchemas = 20_000
	// maxPatterns is how many regular expressions.
	maxPatterns = 1_000
)

// Keywords that hold schemas, by how.
var (
	oneSchema   = []string{"additionalProperties", "items", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
	listSchemas = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	mapSchemas  = []string{"properties", "patternProperties", "dependentSchemas", "$defs"}
)

// asserted are the keywords that say something of a value themselves, or how one is read.
var asserted = []string{
	"type", "enum", "const", "format", "pattern", "multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "maxLength", "minLength",
	"maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "readOnly", "writeOnly",
}

// identifying are keywords that change what a reference means.
var identifying = []string{"$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}

// dialects are what "$schema" and "jsonSchemaDialect" may say.
var dialects = []string{"https://json-schema.org/draft/2020-12/schema", "https://spec.openapis.org/oas/3.1/dialect/base"}

// dialect writes a document's schemas as JSON Schema 2020-12, all of them beside each other under "$defs", so that every reference leads there. What doesn't bear
// on whether a value is valid is left out.
type dialect struct {
	*faults
	document map[string]any
	old      bool // OpenAPI 3.0

	names    map[string]int // of a place in the document
	places   []*place       // of the schema of that number
	written  map[string]any // "$defs"
	count    int
	patterns int
}

// schemaName is the name under "$defs" of the schema of a number.
func schemaName(number int) string { return "s" + strconv.Itoa(number) }

// add writes a schema that stands at a place, and returns its number.
func (d *dialect) add(schema any, at *place) int {
	pointer := at.String()
	if number, known := d.names[pointer]; known {
		return number
	}
	number := len(d.places)
	d.names[pointer] = number
	d.places = append(d.places, at)
	d.written[schemaName(number)] = true // until it is there: it may name itself
	d.written[schemaName(number)] = d.schema(schema, at)
	return number
}

func (d *dialect) schema(value any, at *place) any {
	if d.count++; d.count > maxSchemas {
		if d.count == maxSchemas+1 {
			d.faults.add(at, "a description has at most %d schemas, those within others counted each time that they are named", maxSchemas)
		}
		return true
	}
	source, ok := value.(map[string]any)
	if !ok {
		if _, ok := value.(bool); !ok || d.old {
			d.faults.add(at, "a schema is an object")
			return true
		}
		return value
	}
	schema := map[string]any{}
	if text, has := source["$ref"]; has {
		schema["$ref"] = d.reference(text, at.at("$ref"))
		if d.old {
			return schema // nothing beside a reference counts (OpenAPI 3.0.3, Reference Object)
		}
	}
	d.identifies(source, at)
	for _, keyword := range asserted {
		if value, has := source[keyword]; has {
			schema[keyword] = value
		}
	}
	d.within(source, schema, at)
	d.check(schema, at)
	if d.old {
		translate(source, schema)
	}
	return schema
}

// within writes the schemas that one holds.
func (d *dialect) within(source, schema map[string]any, at *place) {
	for _, keyword := range oneSchema {
		if value, has := source[keyword]; has {
			if _, isBool := value.(bool); isBool && keyword == "additionalProperties" {
				schema[keyword] = value // OpenAPI 3.0 knows this one
				continue
			}
			schema[keyword] = d.schema(value, at.at(keyword))
		}
	}
	for _, keyword := range listSchemas {
		if value, has := source[keyword]; has {
			list, ok := value.([]any)
			if !ok {
				d.faults.add(at.at(keyword), "%q takes a list of schemas", keyword)
			}
			written := make([]any, len(list))
			for i, item := range list {
				written[i] = d.schema(item, at.at(keyword, i))
			}
			schema[keyword] = written
		}
	}
	for _, keyword := range mapSchemas {
		value, has := source[keyword]
		if !has || keyword == "$defs" {
			continue // those that are referred to are written by the reference
		}
		object, ok := value.(map[string]any)
		if !ok {
			d.faults.add(at.at(keyword), "%q takes an object of schemas", keyword)
		}
		written := make(map[string]any, len(object))
		for _, name := range sorted(object) {
			key := name
			if keyword == "patternProperties" {
				key = d.pattern(name, at.at(keyword, name))
			}
			written[key] = d.schema(object[name], at.at(keyword, name))
		}
		schema[keyword] = written
	}
}

// check looks at what the metaschema doesn't know, and takes out what isn't asserted.
func (d *dialect) check(schema map[string]any, at *place) {
	if text, ok := schema["pattern"].(string); ok {
		schema["pattern"] = d.pattern(text, at.at("pattern"))
	}
	if name, ok := schema["format"].(string); ok && !slices.Contains(formats, name) {
		delete(schema, "format") // an annotation: int32 is asserted, "password" is not
	}
}

func (d *dialect) pattern(text string, at *place) string {
	if d.patterns++; d.patterns > maxPatterns {
		if d.patterns == maxPatterns+1 {
			d.faults.add(at, "a description has at most %d patterns", maxPatterns)
		}
		return ""
	}
	translated := translatePattern(text)
	if _, err := compilePattern(translated); err != nil {
		d.faults.add(at, "%v", err)
		return ""
	}
	return translated
}

// identifies refuses what would change the meaning of references.
func (d *dialect) identifies(source map[string]any, at *place) {
	for _, keyword := range identifying {
		if _, has := source[keyword]; has {
			d.faults.add(at.at(keyword), "%s isn't understood: name schemas by where they stand, #/components/schemas/…", keyword)
		}
	}
	if value, has := source["$schema"]; has {
		if text, _ := value.(string); !slices.Contains(dialects, text) {
			d.faults.add(at.at("$schema"), "schemas are those of JSON Schema 2020-12; leave $schema out")
		}
	}
}

// reference returns the reference to a schema as it is written here.
func (d *dialect) reference(value any, at *place) string {
	text, _ := value.(string)
	target, to, err := d.resolve(text)
	if err != "" {
		d.faults.add(at, "%s", err)
		return "#/$defs/" + schemaName(0)
	}
	return "#/$defs/" + schemaName(d.add(target, to))
}

// resolve finds what a reference names.
func (d *dialect) resolve(text string) (any, *place, string) {
	fragment, local := strings.CutPrefix(text, "#/")
	if !local {
		return nil, nil, "a reference leads into this document (#/…): nothing is fetched"
	}
	var value any = d.document
	var at *place
	for token := range strings.SplitSeq(fragment, "/") {
		token, err := url.PathUnescape(token)
		if err != nil {
			return nil, nil, "the reference isn't a URI fragment: " + cut(text)
		}
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		var found bool
		if value, found = step(value, token); !found {
			return nil, nil, "nothing stands at " + cut(text)
		}
		at = at.at(token)
	}
	return value, at, ""
}

func step(value any, token string) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		below, ok := value[token]
		return below, ok
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(value) && strconv.Itoa(i) == token {
			return value[i], true
		}
	}
	return nil, false
}

// translate writes what OpenAPI 3.0 says in other words than JSON Schema 2020-12.
func translate(source, schema map[string]any) {
	if nullable, _ := source["nullable"].(bool); nullable {
		if of, ok := schema["type"].(string); ok { // without a type it says nothing (OpenAPI 3.0.3, Schema Object)
			schema["type"] = []any{of, "null"}
		}
	}
	for _, bound := range [...][2]string{{"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}} {
		inclusive, exclusive := bound[0], bound[1]
		excluded, isBool := source[exclusive].(bool)
		if !isBool {
			continue
		}
		delete(schema, exclusive)
		if value, has := schema[inclusive]; has && excluded {
			schema[exclusive] = value
			delete(schema, inclusive)
		}
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
