package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxDocument is how many bytes a document has at the most; the .proto says the same.
	MaxDocument = 1 << 20
	// maxNodes is how many values a document has at the most, each alias counted for all that it stands for.
	maxNodes = 200_000
	// maxDepth is how deep they are nested at the most.
	maxDepth = 100
)

var (
	errTooLarge = fmt.Errorf("a description has at most %d bytes", MaxDocument)
	errNodes    = fmt.Errorf("a description has at most %d values, each alias counted for all that it stands for", maxNodes)
	errDepth    = fmt.Errorf("values are nested at most %d deep", maxDepth)
)

// parse reads a document into maps, lists, texts, json.Numbers, booleans and nil. What begins with a brace is JSON, all else is YAML.
func parse(text []byte) (map[string]any, error) {
	if len(text) > MaxDocument {
		return nil, DocumentErrors{{Detail: errTooLarge.Error()}}
	}
	if !utf8.Valid(text) {
		return nil, DocumentErrors{{Detail: "a description is UTF-8 text"}}
	}
	read := parseYAML
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		read = parseJSON
	}
	value, err := read(text)
	if err != nil {
		return nil, err
	}
	document, ok := value.(map[string]any)
	if !ok {
		return nil, DocumentErrors{{Detail: "a description is an object"}}
	}
	return document, nil
}

// reader counts what it reads.
type reader struct{ nodes int }

func (r *reader) count(at *place, depth int) error {
	r.nodes++
	switch {
	case r.nodes > maxNodes:
		return faultAt(at, errNodes)
	case depth > maxDepth:
		return faultAt(at, errDepth)
	}
	return nil
}

func faultAt(at *place, err error) error {
	return DocumentErrors{{Pointer: at.String(), Detail: err.Error()}}
}

func parseJSON(text []byte) (any, error) {
	r := jsonReader{decoder: json.NewDecoder(bytes.NewReader(text))}
	r.decoder.UseNumber()
	value, err := r.value(nil, 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, DocumentErrors{{Detail: "there is something behind the document's closing brace"}}
	}
	return value, nil
}

type jsonReader struct {
	reader
	decoder *json.Decoder
}

func (r *jsonReader) value(at *place, depth int) (any, error) {
	if err := r.count(at, depth); err != nil {
		return nil, err
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, r.broken(at, err)
	}
	switch token {
	case json.Delim('{'):
		return r.object(at, depth)
	case json.Delim('['):
		return r.list(at, depth)
	}
	if text, is := token.(json.Number); is {
		return number(text.String(), at)
	}
	return token, nil // a string, bool or nil
}

func (r *jsonReader) object(at *place, depth int) (any, error) {
	object := map[string]any{}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, r.broken(at, err)
		}
		name, _ := token.(string)
		if _, twice := object[name]; twice {
			return nil, faultAt(at.at(name), errTwice)
		}
		if object[name], err = r.value(at.at(name), depth+1); err != nil {
			return nil, err
		}
	}
	return object, r.end(at)
}

func (r *jsonReader) list(at *place, depth int) (any, error) {
	list := []any{}
	for r.decoder.More() {
		value, err := r.value(at.at(len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, r.end(at)
}

func (r *jsonReader) end(at *place) error {
	if _, err := r.decoder.Token(); err != nil {
		return r.broken(at, err)
	}
	return nil
}

func (r *jsonReader) broken(at *place, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return faultAt(at, errors.New("the JSON ends too early"))
	}
	return faultAt(at, fmt.Errorf("the JSON is broken near byte %d", r.decoder.InputOffset()))
}

var errTwice = errors.New("the name is there twice")

// parseYAML reads YAML. Its reader makes a tree in which aliases are aliases: they are followed here, and counted.
func parseYAML(text []byte) (any, error) {
	var root, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, DocumentErrors{{Detail: "the document is empty"}}
		}
		return nil, DocumentErrors{{Detail: cut(err.Error())}}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, DocumentErrors{{Detail: "a description is one YAML document, not several"}}
	}
	if len(root.Content) != 1 {
		return nil, DocumentErrors{{Detail: "the document is empty"}}
	}
	r := yamlReader{}
	return r.value(root.Content[0], nil, 0)
}

type yamlReader struct{ reader }

func (r *yamlReader) value(n *yaml.Node, at *place, depth int) (any, error) {
	if err := r.count(at, depth); err != nil {
		return nil, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, at, depth+1) // one that leads to itself ends at the depth
	case yaml.MappingNode:
		return r.object(n, at, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			value, err := r.value(item, at.at(i), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.ScalarNode:
		return scalar(n, at)
	case yaml.DocumentNode:
	}
	return nil, faultAt(at, errors.New("the YAML has something else than maps, lists and scalars here"))
}

func (r *yamlReader) object(n *yaml.Node, at *place, depth int) (any, error) {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		for key.Kind == yaml.AliasNode {
			key = key.Alias // of a scalar, or refused below; an alias never names an alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, faultAt(at, errors.New("a name is a text"))
		}
		if key.ShortTag() == "!!merge" {
			return nil, faultAt(at, errors.New("merge keys (<<) aren't understood: write out what they stand for"))
		}
		if _, twice := object[key.Value]; twice {
			return nil, faultAt(at.at(key.Value), errTwice)
		}
		value, err := r.value(n.Content[i+1], at.at(key.Value), depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

// scalar reads a scalar as JSON would have it. Dates are texts.
func scalar(n *yaml.Node, at *place) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil //nolint:nilnil // the value is null
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int":
		var whole int64
		if err := n.Decode(&whole); err != nil {
			return number(n.Value, at)
		}
		return json.Number(strconv.FormatInt(whole, 10)), nil
	case "!!float":
		return number(n.Value, at)
	case "!!str", "!!timestamp":
		return n.Value, nil
	}
	return nil, faultAt(at, fmt.Errorf("the YAML tag %s isn't understood", cut(n.Tag)))
}

// number takes a number as JSON writes them, or one that YAML writes more freely ("+1", ".5"). Those that would take much to work out are refused.
func number(text string, at *place) (any, error) {
	if d, ok := readNumber(text); ok {
		if len(d.digits) > maxWorkedOut || d.exponent > maxWorkedOut || d.exponent < -maxWorkedOut {
			return nil, faultAt(at, fmt.Errorf("a number has at most %d digits", maxWorkedOut))
		}
		return json.Number(text), nil
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil || f-f != 0 {
		return nil, faultAt(at, errors.New("this isn't a number that JSON could hold"))
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
}

// cut keeps a text short that an error says.
func cut(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
