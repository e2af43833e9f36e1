package main

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// input is a test's request.
type input struct {
	URI    string            `yaml:"uri"`
	Header map[string]string `yaml:"headers"`
	Data   string            `yaml:"data"`
}

// payloads returns every value that the request carries, decoded.
func (in *input) payloads() []string {
	var all []string
	before, query, _ := strings.Cut(in.URI, "?")
	all = append(all, arguments(query)...)
	all = append(all, in.body()...)
	for _, name := range slices.Sorted(maps.Keys(in.Header)) {
		all = append(all, fieldPayloads(name, in.Header[name])...)
	}
	if decoded, err := url.PathUnescape(before); err == nil && !slices.Contains(plainPaths, decoded) {
		all = append(all, decoded)
	}
	return all
}

// plainPaths are what tests ask for that are about something else.
var plainPaths = []string{"/", "/get", "/post", "/put", "/delete", "/anything", "/status/200", "/headers", "/cookies"}

// arguments returns the values of a query or form, decoded as far as they can be: what is encoded twice, or wrong, is the attack.
func arguments(text string) []string {
	var values []string
	for pair := range strings.SplitSeq(text, "&") {
		name, value, found := strings.Cut(pair, "=")
		if !found {
			value = name
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		values = append(values, value)
	}
	return values
}

func (in *input) body() []string {
	kind, _, _ := strings.Cut(strings.ToLower(in.contentType()), ";")
	switch strings.TrimSpace(kind) {
	case "", "application/x-www-form-urlencoded":
		return arguments(in.Data)
	case "application/json":
		var tree any
		if json.Unmarshal([]byte(in.Data), &tree) == nil {
			return leaves(tree)
		}
	case "multipart/form-data":
		return nil // its parts are parts of its form
	}
	return []string{in.Data}
}

func (in *input) contentType() string {
	for name, value := range in.Header {
		if strings.EqualFold(name, "Content-Type") {
			return value
		}
	}
	return ""
}

// leaves returns the texts of a JSON value, objects' in the order of their names.
func leaves(tree any) []string {
	switch v := tree.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, entry := range v {
			all = append(all, leaves(entry)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, leaves(v[name])...)
		}
		return all
	}
	return nil
}

// usual are fields that every test has, with what it always has in them; "": anything.
var usual = map[string]string{
	"host": "", "accept": "", "content-length": "", "content-type": "", "accept-language": "", "accept-encoding": "", "accept-charset": "",
	"connection": "", "cache-control": "", "user-agent": "OWASP CRS test agent",
}

func fieldPayloads(name, value string) []string {
	name = strings.ToLower(name)
	if always, ok := usual[name]; ok && (always == "" || always == value) {
		return nil
	}
	if name != "cookie" {
		return []string{value}
	}
	var values []string
	for pair := range strings.SplitSeq(value, ";") {
		_, v, _ := strings.Cut(pair, "=")
		values = append(values, v)
	}
	return values
}
