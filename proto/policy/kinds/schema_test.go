package kinds_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// schema checks documents against a JSON Schema, as far as our schemas use its keywords. A keyword that it doesn't know is a flaw, so
// that none is passed over in silence.
type schema struct{ root map[string]any }

func (s schema) check(t *testing.T, document []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	c := &checker{root: s.root}
	c.value(s.root, value, "")
	return c.flaws
}

type checker struct {
	root  map[string]any
	flaws []string
}

func (c *checker) flaw(at, format string, args ...any) {
	c.flaws = append(c.flaws, at+": "+fmt.Sprintf(format, args...))
}

func (c *checker) value(schema map[string]any, v any, at string) {
	for keyword, argument := range schema {
		c.keyword(schema, keyword, argument, v, at)
	}
}

func (c *checker) keyword(schema map[string]any, keyword string, argument, v any, at string) {
	switch keyword {
	case "title", "description", "default", "examples", "readOnly", "writeOnly", "$defs", "$schema", "contentEncoding":
	case "$ref":
		name := strings.TrimPrefix(argument.(string), "#/$defs/")
		target, ok := c.root["$defs"].(map[string]any)[name].(map[string]any)
		if !ok {
			c.flaw(at, "%s leads nowhere", argument)
			return
		}
		c.value(target, v, at)
	case "type":
		c.typed(argument.(string), v, at)
	case "enum":
		if !slices.Contains(argument.([]any), v) {
			c.flaw(at, "%v is none of %v", v, argument)
		}
	case "const":
		if v != argument {
			c.flaw(at, "%v isn't %v", v, argument)
		}
	case "pattern":
		if text, ok := v.(string); ok && !regexp.MustCompile(argument.(string)).MatchString(text) {
			c.flaw(at, "%q doesn't match %s", text, argument)
		}
	case "oneOf":
		c.oneOf(argument.([]any), v, at)
	case "properties", "required", "additionalProperties":
		c.object(schema, keyword, v, at)
	case "items", "uniqueItems":
		c.array(keyword, argument, v, at)
	case "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems":
		c.limit(keyword, argument.(float64), v, at)
	default:
		if !strings.HasPrefix(keyword, "x-") {
			c.flaw(at, "the checker doesn't know %s", keyword)
		}
	}
}

func (c *checker) typed(name string, v any, at string) {
	ok := false
	switch v := v.(type) {
	case map[string]any:
		ok = name == "object"
	case []any:
		ok = name == "array"
	case string:
		ok = name == "string"
	case bool:
		ok = name == "boolean"
	case float64:
		ok = name == "number" || name == "integer" && v == float64(int64(v))
	}
	if !ok {
		c.flaw(at, "%v is no %s", v, name)
	}
}

func (c *checker) oneOf(choices []any, v any, at string) {
	fit := 0
	for _, choice := range choices {
		inner := &checker{root: c.root}
		inner.value(choice.(map[string]any), v, at)
		if len(inner.flaws) == 0 {
			fit++
		}
	}
	if fit != 1 {
		c.flaw(at, "%d choices fit, not one", fit)
	}
}

func (c *checker) object(schema map[string]any, keyword string, v any, at string) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	properties, _ := schema["properties"].(map[string]any)
	switch keyword {
	case "required":
		for _, name := range schema[keyword].([]any) {
			if _, there := object[name.(string)]; !there {
				c.flaw(at, "%s is missing", name)
			}
		}
	case "properties":
		for name, property := range properties {
			if inner, there := object[name]; there {
				c.value(property.(map[string]any), inner, at+"/"+name)
			}
		}
	case "additionalProperties":
		for name := range object {
			if _, known := properties[name]; !known && schema[keyword] == false {
				c.flaw(at, "%s isn't known", name)
			}
		}
	}
}

func (c *checker) array(keyword string, argument, v any, at string) {
	entries, ok := v.([]any)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for i, entry := range entries {
		if keyword == "items" {
			c.value(argument.(map[string]any), entry, fmt.Sprintf("%s/%d", at, i))
			continue
		}
		if text := fmt.Sprint(entry); seen[text] {
			c.flaw(at, "%s is there twice", text)
		} else {
			seen[text] = true
		}
	}
}

func (c *checker) limit(keyword string, bound float64, v any, at string) {
	var size float64
	switch v := v.(type) {
	case float64:
		size = v
	case string:
		size = float64(utf8.RuneCountInString(v))
	case []any:
		size = float64(len(v))
	default:
		return
	}
	if strings.HasPrefix(keyword, "min") && size < bound || strings.HasPrefix(keyword, "max") && size > bound {
		c.flaw(at, "%v breaks %s %v", v, keyword, bound)
	}
}
