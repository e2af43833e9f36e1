package path

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a path with parameters, such as /orders/{id}/lines/{line}. A parameter is a whole
// segment and takes exactly one that isn't empty.
type Template struct {
	text     string
	segments []templateSegment
	names    []string
}

type templateSegment struct {
	literal   string
	parameter bool
}

// ParseTemplate reads a template. Literal segments must be canonical, parameter names
// [a-zA-Z_][a-zA-Z0-9_]* and unique. Errors tell the segment and wrap an *Error where the path rules
// refuse it; its Offset counts from the slash before that segment.
func ParseTemplate(text string) (Template, error) {
	if text == "" || text[0] != '/' {
		return Template{}, fmt.Errorf("path template: %w", &Error{Reason: NotAbsolute})
	}
	t := Template{text: text}
	for rest := text; rest != ""; {
		var segment string
		segment, rest = NextSegment(rest)
		name, parameter := parameterName(segment)
		if !parameter {
			if err := checkLiteral(segment, rest == ""); err != nil {
				return Template{}, err
			}
			t.segments = append(t.segments, templateSegment{literal: segment})
			continue
		}
		if !isName(name) {
			return Template{}, fmt.Errorf("path template: parameter %q: a name is [a-zA-Z_][a-zA-Z0-9_]*", segment)
		}
		if slices.Contains(t.names, name) {
			return Template{}, fmt.Errorf("path template: parameter %q is there twice", segment)
		}
		t.names = append(t.names, name)
		t.segments = append(t.segments, templateSegment{parameter: true})
	}
	return t, nil
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// Names returns the parameters' names in the order of their segments. It must not be changed.
func (t Template) Names() []string { return t.names }

// Match tells whether a canonical path fits, and appends the parameters' values to params, in the
// order of Names: pieces of the path, their escapes still in place. It allocates only when params
// lacks capacity; without a match params comes back as it was. The zero Template matches nothing.
func (t Template) Match(path string, params []string) ([]string, bool) {
	before := len(params)
	for _, want := range t.segments {
		if path == "" {
			return params[:before], false
		}
		var segment string
		segment, path = NextSegment(path)
		if !want.parameter {
			if segment != want.literal {
				return params[:before], false
			}
			continue
		}
		if segment == "" {
			return params[:before], false
		}
		params = append(params, segment)
	}
	if path != "" || len(t.segments) == 0 {
		return params[:before], false
	}
	return params, true
}

// Fits tells whether a canonical path fits, as Match does, for who has no use for the parameters' values. It doesn't allocate.
func (t Template) Fits(path string) bool {
	for _, want := range t.segments {
		if path == "" {
			return false
		}
		var segment string
		segment, path = NextSegment(path)
		if want.parameter && segment == "" || !want.parameter && segment != want.literal {
			return false
		}
	}
	return path == "" && len(t.segments) > 0
}

func parameterName(segment string) (string, bool) {
	rest, opened := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(rest, "}")
	return name, opened && closed
}

func checkLiteral(segment string, last bool) error {
	if segment == "" && last {
		return nil // the trailing slash
	}
	if segment == "" {
		return fmt.Errorf("path template: %w", &Error{Reason: EmptySegment})
	}
	canonical, err := Canonical("/" + segment)
	if err != nil {
		return fmt.Errorf("path template: segment %q: %w", segment, err)
	}
	if canonical[1:] != segment {
		return fmt.Errorf("path template: segment %q is not canonical, write %q", segment, canonical[1:])
	}
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
