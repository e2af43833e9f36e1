package openapi_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/openapi"
)

// value is a parsed JSON document, as tests keep it.
type value struct {
	any
	names []string
}

func newValue(v any) *value {
	object, ok := v.(map[string]any)
	if !ok {
		return &value{any: v}
	}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return &value{v, names}
}

func readValue(t testing.TB, text string) *value {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return newValue(v)
}

func (v *value) Kind() openapi.Kind {
	switch v.any.(type) {
	case bool:
		return openapi.Boolean
	case json.Number:
		return openapi.Number
	case string:
		return openapi.String
	case []any:
		return openapi.Array
	case map[string]any:
		return openapi.Object
	}
	return openapi.Null
}

func (v *value) Truth() bool { return v.any == true }

func (v *value) Text() string {
	if n, ok := v.any.(json.Number); ok {
		return n.String()
	}
	return v.any.(string)
}

func (v *value) Len() int {
	if list, ok := v.any.([]any); ok {
		return len(list)
	}
	return len(v.names)
}

func (v *value) Next(after int) (string, *value, int, bool) {
	if after >= v.Len() {
		return "", nil, 0, false
	}
	if list, ok := v.any.([]any); ok {
		return "", newValue(list[after]), after + 1, true
	}
	name := v.names[after]
	return name, newValue(v.any.(map[string]any)[name]), after + 1, true
}

func compile(t testing.TB, text string) *openapi.Description {
	t.Helper()
	d, err := openapi.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func petshop(t testing.TB) *openapi.Description {
	t.Helper()
	text, err := os.ReadFile("testdata/petshop-3.0.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text))
}

func operation(t testing.TB, d *openapi.Description, method, path string) (*openapi.Operation, []string) {
	t.Helper()
	m := d.Match(method, path, nil)
	if m.Operation == nil {
		t.Fatalf("%s %s isn't described", method, path)
	}
	return m.Operation, m.Params
}

// places are where a description is broken, and by which rule: "/name minLength".
func places(breaches []openapi.Breach) []string {
	all := make([]string, len(breaches))
	for i, b := range breaches {
		all[i] = strings.TrimSpace(b.Where + " " + b.Rule)
	}
	slices.Sort(all)
	return all
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
