package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// Files of the spec folder with a part of their own; every other .yaml file holds paths.
const (
	frameFile    = "document.yaml"
	templateFile = "collection.yaml.tmpl"
	bookFile     = "book.yaml.tmpl"
)

// document is an OpenAPI document, or a part of one, as YAML has it.
type document = map[string]any

// join reads the frame and adds all paths, and the schemas beside them, to it.
func join(files fs.FS) (document, error) {
	frame, err := readPart(files, frameFile)
	if err != nil {
		return nil, err
	}
	parts, err := handWritten(files)
	if err != nil {
		return nil, err
	}
	rendered, err := render(files)
	if err != nil {
		return nil, err
	}
	for _, part := range append(parts, rendered...) {
		if err := add(frame, part); err != nil {
			return nil, err
		}
	}
	return frame, nil
}

func handWritten(files fs.FS) ([]document, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var parts []document
	for _, name := range names {
		if name == frameFile {
			continue
		}
		part, err := readPart(files, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// render returns the paths of each plain collection.
func render(files fs.FS) ([]document, error) {
	parts, err := renderEach(files, templateFile, collections())
	if err != nil {
		return nil, err
	}
	more, err := renderEach(files, bookFile, books())
	return append(parts, more...), err
}

// renderEach renders a template once for each of a list.
func renderEach[T any](files fs.FS, file string, list []T) ([]document, error) {
	paths, err := template.New(file).Option("missingkey=error").ParseFS(files, file)
	if err != nil {
		return nil, err
	}
	var parts []document
	for i, item := range list {
		var text strings.Builder
		if err := paths.Execute(&text, item); err != nil {
			return nil, err
		}
		part, err := parse(fmt.Sprintf("%s, %d", file, i), []byte(text.String()))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func readPart(files fs.FS, name string) (document, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	return parse(name, text)
}

func parse(name string, text []byte) (document, error) {
	var part document
	if err := yaml.Unmarshal(text, &part); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return part, nil
}

// add puts a part's paths and schemas into the whole. A part has nothing else.
func add(whole, part document) error {
	for key, value := range part {
		switch key {
		case "paths":
			if err := addAll(section(whole, "paths"), value.(document), "path"); err != nil {
				return err
			}
		case "components":
			if err := addAll(section(section(whole, "components"), "schemas"), value.(document)["schemas"].(document), "schema"); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a part has %q: only paths and components belong there", key)
		}
	}
	return nil
}

// addAll adds each member of from, and refuses one that is there already.
func addAll(to, from document, what string) error {
	for _, name := range sortedKeys(from) {
		if _, ok := to[name]; ok {
			return fmt.Errorf("%s %s is defined twice", what, name)
		}
		to[name] = from[name]
	}
	return nil
}

// section returns a member of a document, made if it isn't there.
func section(d document, name string) document {
	if inner, ok := d[name].(document); ok {
		return inner
	}
	inner := document{}
	d[name] = inner
	return inner
}

func sortedKeys(d document) []string {
	keys := make([]string, 0, len(d))
	for key := range d {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
