package openapi

import (
	"slices"
	"strings"
)

// Looks is what a body is held against its schema as.
type Looks uint8

// What bodies look like.
const (
	// Opaque bodies are held against their media type alone.
	Opaque Looks = iota
	// JSON bodies are JSON documents.
	JSON
	// Form bodies are application/x-www-form-urlencoded.
	Form
	// Multipart bodies are multipart/form-data.
	Multipart
)

// Content is what is described of a body of one media type.
type Content struct {
	// Type is the media type, without parameters: "application/json", "image/*".
	Type string

	schema *schema
	parts  map[string]*encoding
}

// encoding is how a member of a form or a multipart body is written.
type encoding struct {
	types   []string
	style   style
	explode bool
}

// Looks tells as what a body is held against the description.
func (c *Content) Looks() Looks {
	switch {
	case c.schema == nil:
		return Opaque
	case isJSON(c.Type):
		return JSON
	case c.Type == "application/x-www-form-urlencoded":
		return Form
	case c.Type == "multipart/form-data":
		return Multipart
	}
	return Opaque
}

func isJSON(essence string) bool {
	return essence == "application/json" || strings.HasSuffix(essence, "+json")
}

// Essence returns a media type without its parameters, in lower case; "": the text is none.
func Essence(text string) string {
	essence, _, _ := strings.Cut(text, ";")
	essence = strings.ToLower(strings.TrimSpace(essence))
	sort, of, ok := strings.Cut(essence, "/")
	if !ok || sort == "" || of == "" || strings.ContainsAny(essence, " \t,\"") {
		return ""
	}
	return essence
}

// wildness orders media types: those that say most first.
func wildness(essence string) int { return strings.Count(essence, "*") }

// pick finds what is described of a media type: itself, or a range that it is in. Contents are ordered by how much they say.
func pick(contents []*Content, contentType string) *Content {
	essence := Essence(contentType)
	i := slices.IndexFunc(contents, func(c *Content) bool { return fits(c.Type, essence) })
	if i < 0 || essence == "" {
		return nil
	}
	return contents[i]
}

func fits(wanted, essence string) bool {
	sort, all := strings.CutSuffix(wanted, "*")
	return wanted == essence || wanted == "*/*" || all && strings.HasPrefix(essence, sort)
}

// Check holds a JSON body against its description. Size is that of its text.
func Check[V Value[V]](c *Content, value V, size int, direction Direction) []Breach {
	if c.schema == nil {
		return nil
	}
	return evaluate(c.schema.rule, value, size, direction)
}

// Field is one of a form.
type Field struct{ Name, Value string }

// Fields holds a form against the description.
func (c *Content) Fields(fields []Field, size int) []Breach {
	if c.schema == nil {
		return nil
	}
	parts := make([]Part, len(fields))
	for i, field := range fields {
		parts[i] = Part{Name: field.Name, Text: field.Value}
	}
	return c.Parts(parts, size)
}

// Part is one of a multipart body.
type Part struct {
	// Name of the member that it is.
	Name string
	// Type is its media type; "": it has none.
	Type string
	// Text is what it holds.
	Text string
}

// Parts holds a multipart body against the description, each part by the schema of its name.
func (c *Content) Parts(parts []Part, size int) []Breach {
	if c.schema == nil {
		return nil
	}
	var breaches []Breach
	object := tree{kind: Object}
	places := map[string]int{} // of lists
	for i := range parts {
		part := &parts[i]
		r := c.schema.rule.member(part.Name)
		if !c.typeFits(part) {
			breaches = append(breaches, partBreach(part.Name, "content", "isn't of the media type that the description has for it"))
			continue
		}
		value, ok := c.read(r, part)
		if !ok {
			breaches = append(breaches, partBreach(part.Name, "style", "isn't written as the description says"))
			continue
		}
		if r == nil || r.shape() != Array || value.kind == Array {
			object.members = append(object.members, member{part.Name, value})
			continue
		}
		at, has := places[part.Name]
		if !has {
			at = len(object.members)
			places[part.Name] = at
			object.members = append(object.members, member{part.Name, tree{kind: Array}})
		}
		list := &object.members[at].value
		list.members = append(list.members, member{"", value})
	}
	if twiceNamed(object.members) {
		breaches = append(breaches, Breach{Rule: "repeated", Message: "has a field more than once that isn't a list"})
	}
	return clip(append(breaches, evaluate(c.schema.rule, &object, size, ToService)...))
}

func twiceNamed(members []member) bool {
	seen := make(map[string]struct{}, len(members))
	for i := range members {
		seen[members[i].name] = struct{}{}
	}
	return len(seen) < len(members)
}

func partBreach(name, broken, said string) Breach {
	where, described := pointers([]token{{name: name, index: -1, described: true}})
	return Breach{Where: where, Described: described, Rule: broken, Message: said}
}

// typeFits tells whether a part has one of the media types that the description has for it.
func (c *Content) typeFits(part *Part) bool {
	e := c.parts[part.Name]
	if e == nil || len(e.types) == 0 || part.Type == "" {
		return true
	}
	essence := Essence(part.Type)
	return slices.ContainsFunc(e.types, func(wanted string) bool { return fits(wanted, essence) })
}

// read reads one part. A part of a list is an item, unless the list is one text or one JSON document.
func (c *Content) read(r *rule, part *Part) (tree, bool) {
	if r == nil {
		return tree{kind: String, text: part.Text}, true
	}
	shape := r.shape()
	e := c.parts[part.Name]
	written := isJSON(Essence(part.Type)) || part.Type == "" && e != nil && len(e.types) > 0 && isJSON(e.types[0])
	switch {
	case written && shape == Array && !strings.HasPrefix(strings.TrimLeft(part.Text, " \t\r\n"), "["):
		return one(jsonText(part.Text))
	case written || shape == Object:
		return one(jsonText(part.Text))
	case shape == Array && e != nil && !e.explode && len(e.types) == 0:
		p := parameter{style: e.style}
		return one(listOf(r, p.split(part.Text)))
	case shape == Array:
		item := r.entry(0)
		if item != nil && item.shape() == Object {
			return one(jsonText(part.Text))
		}
		return readAs(item, part.Text), true
	}
	return best(r, part.Text), true
}

func one(all []tree) (tree, bool) {
	if len(all) != 1 {
		return tree{}, false
	}
	return all[0], true
}

// best is the first reading of a text that is valid; without one, the first.
func best(r *rule, text string) tree {
	all := scalars(r.possible(), text)
	for i := range all {
		if len(evaluate(r, &all[i], len(text), ToService)) == 0 {
			return all[i]
		}
	}
	return all[0]
}
