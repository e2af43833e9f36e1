package openapi

import (
	"strings"
)

// Where parameters are.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
	inCookie = "cookie"
)

// style is how a parameter's value is written (OpenAPI 3.1, Style Values).
type style string

const (
	styleForm   style = "form"
	styleSimple style = "simple"
	styleLabel  style = "label"
	styleMatrix style = "matrix"
	styleSpace  style = "spaceDelimited"
	stylePipe   style = "pipeDelimited"
	styleDeep   style = "deepObject"
)

// stylesOf are those that parameters have where they are, the first where none is given.
var stylesOf = map[string][]style{
	inPath: {styleSimple, styleLabel, styleMatrix}, inQuery: {styleForm, styleSpace, stylePipe, styleDeep}, inHeader: {styleSimple}, inCookie: {styleForm},
}

// parameter is one that an operation has, or a header of an answer.
type parameter struct {
	name, in   string
	required   bool
	allowEmpty bool
	json       bool // its text is a JSON document
	opaque     bool // of another media type: it isn't looked at
	old        bool // OpenAPI 3.0
	style      style
	explode    bool
	schema     *schema
}

var (
	headerFields    = []string{"description", "required", "deprecated", "allowEmptyValue", "style", "explode", "allowReserved", "schema", "example", "examples", "content"}
	parameterFields = append([]string{"name", "in"}, headerFields...)
)

// parameters reads those of a path or an operation.
func (c *compiler) parameters(source section, names []string) []*parameter {
	value, has := source.fields["parameters"]
	if !has {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		source.fault("parameters", "must be a list")
	}
	var all []*parameter
	for i, item := range list {
		at := source.at.at("parameters", i)
		p := c.parameter(item, at, names)
		if p == nil {
			continue
		}
		for _, other := range all {
			if other.name == p.name && other.in == p.in {
				c.add(at, "the parameter is there twice")
			}
		}
		all = append(all, p)
	}
	return all
}

// parameter reads one; nil: there is nothing to hold against it.
func (c *compiler) parameter(value any, at *place, names []string) *parameter {
	source, ok := c.follow(value, at)
	if !ok {
		return nil
	}
	source.only(parameterFields)
	p := &parameter{name: source.text("name"), in: source.text("in"), required: source.flag("required"), allowEmpty: source.flag("allowEmptyValue")}
	switch {
	case p.name == "":
		source.fault("name", "is missing")
		return nil
	case stylesOf[p.in] == nil:
		source.fault("in", `must be "path", "query", "header" or "cookie"`)
		return nil
	case p.in == inHeader && isReserved(p.name):
		return nil // whatever is described of these is ignored (OpenAPI 3.1, Parameter Object)
	case p.in == inPath && !p.required:
		source.fault("required", "a parameter of the path is required: true")
	case p.in == inPath && !hasName(names, p.name):
		c.add(at, "the path has no parameter {%s}", p.name)
	}
	return c.valueOf(source, p)
}

func isReserved(header string) bool {
	return strings.EqualFold(header, "Accept") || strings.EqualFold(header, "Content-Type") || strings.EqualFold(header, "Authorization")
}

func hasName(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// valueOf reads how a value is written, and what is valid.
func (c *compiler) valueOf(source section, p *parameter) *parameter {
	source.only(parameterFields)
	p.old = c.dialect.old
	p.style, p.explode = source.style(stylesOf[p.in][0])
	if !hasStyle(stylesOf[p.in], p.style) {
		source.fault("style", "parameters of the "+p.in+" aren't written so")
	}
	contents, has := source.object("content")
	if !has {
		p.schema = c.schemaOf(source)
		return p
	}
	if _, both := source.fields["schema"]; both || len(contents.fields) != 1 {
		source.fault("content", "has one media type, and no schema beside it")
		return p
	}
	only := c.contents(contents)
	if len(only) == 1 {
		p.json, p.opaque, p.schema = only[0].Looks() == JSON, only[0].Looks() != JSON, only[0].schema
	}
	return p
}

// style reads "style" and "explode".
func (s section) style(otherwise style) (style, bool) {
	written := style(s.text("style"))
	if written == "" {
		written = otherwise
	}
	if _, has := s.fields["explode"]; has {
		return written, s.flag("explode")
	}
	return written, written == styleForm
}

func hasStyle(all []style, one style) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func (p *parameter) breach(name, said string) []Breach {
	where := p.in + "." + p.name
	return []Breach{{Where: where, Described: where, Rule: name, Message: said}}
}

// one holds a value that is one text against the parameter: of the path, of a header, of a cookie.
func (p *parameter) one(text string, has bool, direction Direction) []Breach {
	switch {
	case !has && p.required:
		return p.breach("required", "is required")
	case !has:
		return nil
	}
	return p.evaluate(p.candidates(text), len(text), direction)
}

// candidates are what a text may be read as.
func (p *parameter) candidates(text string) []tree {
	if p.schema == nil || p.opaque {
		return nil
	}
	if p.json {
		return jsonText(text)
	}
	r := p.schema.rule
	switch r.shape() {
	case Array:
		return listOf(r, p.split(text))
	case Object:
		return objectOf(r, p.pairs(text))
	case Null, Boolean, Number, String:
	}
	switch p.style {
	case styleLabel:
		return scalarAfter(r, text, ".")
	case styleMatrix:
		return scalarAfter(r, text, ";"+p.name+"=")
	case styleForm, styleSimple, styleSpace, stylePipe, styleDeep:
	}
	return scalars(r.possible(), text)
}

func scalarAfter(r *rule, text, prefix string) []tree {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return []tree{}
	}
	return scalars(r.possible(), rest)
}

// split takes a list apart that is one text.
func (p *parameter) split(text string) []string {
	separator := ","
	switch p.style {
	case styleLabel:
		var ok bool
		if text, ok = strings.CutPrefix(text, "."); !ok {
			return nil
		}
		if p.explode || p.old {
			separator = "."
		}
	case styleMatrix:
		var ok bool
		if text, ok = strings.CutPrefix(text, ";"+p.name+"="); !ok {
			return nil
		}
		if p.explode {
			separator = ";" + p.name + "="
		}
	case styleSpace:
		separator = " "
	case stylePipe:
		separator = "|"
	case styleForm, styleSimple, styleDeep:
	}
	if text == "" {
		return []string{}
	}
	parts := strings.Split(text, separator)
	if p.in == inHeader {
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
	}
	return parts
}

// pairs takes an object apart that is one text; nil: it isn't one.
func (p *parameter) pairs(text string) [][2]string {
	parts := p.split(text)
	if p.style == styleMatrix && p.explode {
		parts = strings.Split(strings.TrimPrefix(text, ";"), ";")
	}
	pairs := [][2]string{}
	if p.explode && p.style != styleForm {
		for _, part := range parts {
			name, value, ok := strings.Cut(part, "=")
			if !ok {
				return nil
			}
			pairs = append(pairs, [2]string{name, value})
		}
		return pairs
	}
	if parts == nil || len(parts)%2 != 0 {
		return nil
	}
	for i := 0; i < len(parts); i += 2 {
		pairs = append(pairs, [2]string{parts[i], parts[i+1]})
	}
	return pairs
}

// evaluate holds what the text may be read as against the schema: one reading that is valid is enough. Without one the first says why.
func (p *parameter) evaluate(candidates []tree, size int, direction Direction) []Breach {
	if p.schema == nil || p.opaque {
		return nil
	}
	if len(candidates) == 0 {
		return p.breach("style", "isn't written as the description says")
	}
	var first []Breach
	for i := range candidates {
		breaches := evaluate(p.schema.rule, &candidates[i], size, direction)
		if len(breaches) == 0 {
			return nil
		}
		if i == 0 {
			first = breaches
		}
	}
	return under(p.in+"."+p.name, first)
}

// under moves breaches of a value to where it is: "/0" in the query's tags is "query.tags/0".
func under(where string, breaches []Breach) []Breach {
	for i := range breaches {
		breaches[i].Where = where + breaches[i].Where
		breaches[i].Described = where + breaches[i].Described
	}
	return breaches
}
