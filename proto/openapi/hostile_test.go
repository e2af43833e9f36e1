package openapi_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/openapi"
)

// described returns a description of one schema, and what its bodies are held against.
func described(t testing.TB, schema string) *openapi.Content {
	t.Helper()
	d := compile(t, describing(schema))
	o, _ := operation(t, d, http.MethodPost, "/a")
	content, _ := o.Body("application/json", true)
	return content
}

func describing(schema string) string {
	return `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":` + schema +
		`}}},"responses":{"200":{"description":"ok"}}}}},"components":{"schemas":{"Node":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/Node"}}},` +
		`"Loop":{"allOf":[{"$ref":"#/components/schemas/Loop2"}]},"Loop2":{"$ref":"#/components/schemas/Loop"},` +
		`"Tree":{"oneOf":[{"type":"object","required":["and"],"properties":{"and":{"$ref":"#/components/schemas/Tree"}}},` +
		`{"type":"object","required":["and","x"],"properties":{"and":{"$ref":"#/components/schemas/Tree"},"x":{"type":"string"}}},{"type":"null"}]}}}}`
}

func TestHostileDescriptionsAreRefusedWithAPointer(t *testing.T) {
	t.Parallel()
	bomb := "openapi: 3.1.0\ninfo: {title: t, version: '1'}\nx-a: &a [1,1,1,1,1,1,1,1,1]\n"
	for i := range 9 {
		name, before := string(rune('b'+i)), string(rune('a'+i))
		bomb += "x-" + name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+before+",", 9), ",") + "]\n"
	}
	for name, tt := range map[string]struct{ text, pointer, says string }{
		"nothing":                     {"", "", "empty"},
		"a list":                      {"[]", "", "an object"},
		"larger than may be":          {strings.Repeat(" ", openapi.MaxDocument+1), "", "bytes"},
		"not UTF-8":                   {"\xff\xfe", "", "UTF-8"},
		"JSON cut off":                {`{"openapi":`, "/openapi", "too early"},
		"JSON twice":                  {`{} {}`, "", "behind"},
		"a JSON name twice":           {`{"a":{"b":1,"b":2}}`, "/a/b", "twice"},
		"a YAML name twice":           {"a:\n  b: 1\n  b: 2\n", "", "b"},
		"JSON nested deep":            {`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "/a" + strings.Repeat("/0", 100), "deep"},
		"YAML nested deep":            {"a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "/a" + strings.Repeat("/0", 100), "deep"},
		"an alias bomb":               {bomb, "", "values"},
		"an alias of itself":          {"a: &a [*a]\n", "", ""},
		"a merge key":                 {"a: &a {b: 1}\nc: {<<: *a}\n", "/c", "merge"},
		"two YAML documents":          {"a: 1\n---\nb: 1\n", "", "several"},
		"a YAML tag":                  {"a: !!binary aGk=\n", "/a", "tag"},
		"a huge number":               {`{"a":1e400000}`, "/a", "digits"},
		"no number of JSON":           {"a: .inf\n", "/a", "number"},
		"Swagger":                     {`{"swagger":"2.0"}`, "/swagger", "Swagger"},
		"a version to come":           {`{"openapi":"3.2.0"}`, "/openapi", "3.1"},
		"a version as a number":       {"openapi: 3.1\n", "/openapi", "text"},
		"an unknown field":            {`{"openapi":"3.1.0","info":{},"path":{}}`, "/path", "no such field"},
		"a reference that leaves":     {describing(`{"$ref":"https://evil.example/s.json"}`), "", "into this document"},
		"a reference to a file":       {describing(`{"$ref":"file:///etc/passwd"}`), "", "into this document"},
		"a reference to a neighbour":  {describing(`{"$ref":"other.yaml#/a"}`), "", "into this document"},
		"a reference to nothing":      {describing(`{"$ref":"#/components/schemas/None"}`), "", "nothing stands"},
		"a reference to everything":   {describing(`{"$ref":"#"}`), "", "into this document"},
		"a schema that is itself":     {describing(`{"$ref":"#/components/schemas/Loop"}`), "", "itself"},
		"a schema under a name":       {describing(`{"$id":"https://a.example/"}`), "", "$id"},
		"a schema of another dialect": {describing(`{"$schema":"http://json-schema.org/draft-04/schema#"}`), "", "2020-12"},
		"a dynamic reference":         {describing(`{"$dynamicRef":"#x"}`), "", "$dynamicRef"},
		"a broken schema":             {describing(`{"type":"strange"}`), "", "broken"},
		"a bound that is a text":      {describing(`{"properties":{"a":{"minimum":"1"}}}`), "", "broken"},
		"a pattern of another kind":   {describing(`{"pattern":"(?=a)"}`), "", "RE2"},
		"a pattern that grows":        {describing(`{"pattern":"((a{100}){100}){10}"}`), "", ""},
		"a long pattern":              {describing(`{"pattern":"` + strings.Repeat("a", 2000) + `"}`), "", "1024"},
		"patterns as names":           {describing(`{"patternProperties":{"[":{}}}`), "", "RE2"},
		"paths that are one": {
			`{"openapi":"3.1.0","info":{},"paths":{"/a/{b}":{"parameters":[{"name":"b","in":"path","required":true}]},"/a/{c}":{"parameters":[{"name":"c","in":"path","required":true}]}}}`,
			"/paths/~1a~1{c}", "same paths",
		},
		"a path that can't be asked for": {`{"openapi":"3.1.0","info":{},"paths":{"/a/../b":{}}}`, "/paths/~1a~1..~1b", "segment"},
		"a path without its parameter":   {`{"openapi":"3.1.0","info":{},"paths":{"/a/{b}":{"get":{}}}}`, "/paths/~1a~1{b}/get/parameters", "{b}"},
		"a parameter without its path":   {`{"openapi":"3.1.0","info":{},"paths":{"/a":{"get":{"parameters":[{"name":"b","in":"path","required":true}]}}}}`, "/paths/~1a/get/parameters/0", "{b}"},
		"a parameter twice":              {`{"openapi":"3.1.0","info":{},"paths":{"/a":{"get":{"parameters":[{"name":"b","in":"query"},{"name":"b","in":"query"}]}}}}`, "/paths/~1a/get/parameters/1", "twice"},
		"references in a ring":           {`{"openapi":"3.1.0","info":{},"paths":{"/a":{"$ref":"#/paths/~1b"},"/b":{"$ref":"#/paths/~1a"}}}`, "", "references"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openapi.Compile([]byte(tt.text))
			var faults openapi.DocumentErrors
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("it is taken: %v", err)
			}
			if tt.pointer != "" && faults[0].Pointer != tt.pointer || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %q at %q", err, faults[0].Pointer)
			}
		})
	}
}

func TestMoreOfEverythingThanMayBeIsRefused(t *testing.T) {
	t.Parallel()
	operations, schemas, patterns := strings.Builder{}, strings.Builder{}, strings.Builder{}
	for i := range 2_100 {
		operations.WriteString(`"/a` + strconv.Itoa(i) + `":{"get":{}},`)
		patterns.WriteString(`"a` + strconv.Itoa(i) + `":{"pattern":"a"},`)
	}
	for i := range 21_000 {
		schemas.WriteString(`"a` + strconv.Itoa(i) + `":{},`)
	}
	for name, text := range map[string]string{
		"operations": `{"openapi":"3.1.0","info":{},"paths":{` + strings.TrimSuffix(operations.String(), ",") + `}}`,
		"schemas":    describing(`{"properties":{` + strings.TrimSuffix(schemas.String(), ",") + `}}`),
		"patterns":   describing(`{"properties":{` + strings.TrimSuffix(patterns.String(), ",") + `}}`),
	} {
		if _, err := openapi.Compile([]byte(text)); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEachPlaceOfADescriptionThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	_, err := openapi.Compile([]byte(`{"openapi":"3.0.3","info":{"titel":1},"paths":{"/a":{"get":{"parametres":[],"responses":{"2000":{"description":""}}},"fetch":{}}}}`))
	var faults openapi.DocumentErrors
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var pointers []string
	for _, fault := range faults {
		pointers = append(pointers, fault.Pointer)
	}
	want := []string{"/paths/~1a/fetch", "/paths/~1a/get/parametres", "/paths/~1a/get/responses/2000"}
	if !slices.Equal(pointers, want) {
		t.Errorf("told of %q, want %q", pointers, want)
	}
}

func TestABodyCantMakeItsEvaluationDear(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ schema, value string }{
		// Each level doubles what a naive evaluation takes.
		"alternatives within alternatives": {`{"$ref":"#/components/schemas/Tree"}`, strings.Repeat(`{"x":"","and":`, 60) + "1" + strings.Repeat("}", 60)},
		"a pattern and a long text":        {`{"pattern":"^(a|b|ab)*(c{1,900})+$"}`, `"` + strings.Repeat("ab", 300_000) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := described(t, tt.schema)
			breaches := openapi.Check(content, readValue(t, tt.value), len(tt.value), openapi.ToService)
			if !slices.ContainsFunc(breaches, func(b openapi.Breach) bool { return b.Rule == openapi.RuleSteps }) {
				t.Errorf("it is evaluated to its end: %v", breaches)
			}
		})
	}
}

func TestLargeValuesThatHoldToTheirSchemaAreEvaluatedToTheEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ schema, value string }{
		"many entries, each once": {`{"type":"array","uniqueItems":true,"items":{"type":"integer"}}`, numbers(100_000)},
		"nested deep":             {`{"$ref":"#/components/schemas/Node"}`, strings.Repeat(`{"next":`, 1000) + "{}" + strings.Repeat("}", 1000)},
		"a long text":             {`{"type":"string","pattern":"^[a-z]*$","maxLength":1000000}`, `"` + strings.Repeat("a", 900_000) + `"`},
		"one of several kinds": {
			`{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"null"},{"type":"object"},{"type":"integer","minimum":0}]}}`, numbers(100_000),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, places(openapi.Check(described(t, tt.schema), readValue(t, tt.value), len(tt.value), openapi.ToService)), nil)
		})
	}
}

func numbers(n int) string {
	var b strings.Builder
	b.WriteString("[0")
	for i := 1; i < n; i++ {
		b.WriteByte(',')
		b.WriteString(strconv.Itoa(i))
	}
	b.WriteByte(']')
	return b.String()
}

func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("there are no descriptions to begin with", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(describing(`{"$ref":"#/components/schemas/Tree"}`))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := openapi.Compile([]byte(text))
		if err != nil {
			if !errors.As(err, new(openapi.DocumentErrors)) {
				t.Fatalf("the error doesn't tell where: %v", err)
			}
			return
		}
		for _, o := range d.Operations() {
			o.Head(&openapi.Head{Query: "a=1&b[c]=2", Header: func(string) (string, bool) { return "a,b=1;c", true }})
			content, _ := o.Body("application/json", true)
			if content != nil {
				openapi.Check(content, &value{any: true}, 4, openapi.ToService)
				content.Parts([]openapi.Part{{Name: "a", Text: "1"}}, 10)
			}
			d.Match(o.Method, o.Path, nil)
		}
	})
}
