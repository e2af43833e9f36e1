package openapi

import (
	"slices"
	"strings"
)

// section is an object of the document, and where it is.
type section struct {
	c      *compiler
	fields map[string]any
	at     *place
}

func (s section) fault(field, detail string) { s.c.add(s.at.at(field), "%s", detail) }

// only refuses fields that the object doesn't have.
func (s section) only(names []string) {
	for _, name := range sorted(s.fields) {
		if !slices.Contains(names, name) && !strings.HasPrefix(name, "x-") {
			s.fault(name, "OpenAPI has no such field here")
		}
	}
}

func (s section) text(name string) string {
	value, has := s.fields[name]
	text, ok := value.(string)
	if has && !ok {
		s.fault(name, "must be a text")
	}
	return text
}

func (s section) flag(name string) bool {
	value, has := s.fields[name]
	flag, ok := value.(bool)
	if has && !ok {
		s.fault(name, "must be true or false")
	}
	return flag
}

func (s section) object(name string) (section, bool) {
	below := section{s.c, nil, s.at.at(name)}
	value, has := s.fields[name]
	if !has {
		return below, false
	}
	var ok bool
	if below.fields, ok = value.(map[string]any); !ok {
		s.fault(name, "must be an object")
	}
	return below, ok
}

// follow returns an object, or the one that it refers to.
func (c *compiler) follow(value any, at *place) (section, bool) {
	for range maxHops {
		fields, ok := value.(map[string]any)
		if !ok {
			c.add(at, "must be an object")
			return section{}, false
		}
		reference, has := fields["$ref"]
		if !has {
			return section{c, fields, at}, true
		}
		text, _ := reference.(string)
		target, to, err := c.dialect.resolve(text)
		if err != "" {
			c.add(at.at("$ref"), "%s", err)
			return section{}, false
		}
		value, at = target, to
	}
	c.add(at, "references lead from one to the next more than %d times", maxHops)
	return section{}, false
}
