package openapi_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sallyport/sallyport/proto/openapi"
)

// agree holds a value against a schema here and by the library that compiles schemas.
func agree(t *testing.T, schema, text string) {
	t.Helper()
	d, err := openapi.Compile([]byte(describing(schema)))
	if err != nil {
		return
	}
	var root any
	decoder := json.NewDecoder(strings.NewReader(describing(schema)))
	decoder.UseNumber()
	if err := decoder.Decode(&root); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("test:///doc", root); err != nil {
		t.Fatal(err)
	}
	theirs, err := compiler.Compile("test:///doc#/paths/~1a/post/requestBody/content/application~1json/schema")
	if err != nil {
		t.Fatalf("%s compiles here, and not in the library: %v", schema, err)
	}
	o := d.Match("POST", "/a", nil).Operation
	content, _ := o.Body("application/json", true)
	v := readValue(t, text)
	ours := openapi.Check(content, v, len(text), openapi.ToService)
	if wanted := theirs.Validate(v.any); (len(ours) == 0) != (wanted == nil) {
		t.Errorf("%s of %s: here %v, in the library %v", text, schema, ours, wanted)
	}
}

func TestTheEvaluationAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 8))
	for range 1_000 {
		schema := randomSchema(random, 3)
		for range 4 {
			agree(t, schema, randomValue(random, 3))
		}
	}
}

func FuzzTheEvaluationAgreesWithTheLibrary(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random := rand.New(rand.NewPCG(a, b))
		agree(t, randomSchema(random, 4), randomValue(random, 4))
	})
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

func randomValue(random *rand.Rand, depth int) string {
	if depth == 0 || random.IntN(3) == 0 {
		return pick(random, "null", "true", "false", "0", "1", "1.0", "-3", "2.5", "1e2", `"a"`, `"ab"`, `"2026-01-02"`, `""`, `"é"`, "[]", "{}")
	}
	n := random.IntN(4)
	parts := make([]string, n)
	if random.IntN(2) == 0 {
		for i := range parts {
			parts[i] = randomValue(random, depth-1)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	names := random.Perm(4)
	for i := range parts {
		parts[i] = `"` + string(rune('a'+names[i])) + `":` + randomValue(random, depth-1)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func randomSchema(random *rand.Rand, depth int) string {
	if depth == 0 {
		return pick(random, "true", "false", "{}", `{"type":"string"}`, `{"type":"integer"}`, `{"const":1}`, `{"enum":["a",null,1,[],{}]}`, `{"minimum":1}`)
	}
	below := func() string { return randomSchema(random, depth-1) }
	keywords := []func() string{
		func() string {
			return `"type":` + pick(random, `"object"`, `"array"`, `"string"`, `["number","null"]`, `["object","array"]`, `"integer"`)
		},
		func() string { return `"properties":{"a":` + below() + `,"b":` + below() + `}` },
		func() string { return `"patternProperties":{"^[ac]":` + below() + `}` },
		func() string { return `"additionalProperties":` + below() },
		func() string { return `"unevaluatedProperties":` + below() },
		func() string { return `"propertyNames":` + pick(random, `{"maxLength":1}`, `{"enum":["a","b"]}`) },
		func() string { return `"required":` + pick(random, `["a"]`, `["a","c"]`) },
		func() string { return `"dependentRequired":{"a":["b"]}` },
		func() string { return `"dependentSchemas":{"b":` + below() + `}` },
		func() string { return `"minProperties":1,"maxProperties":2` },
		func() string { return `"items":` + below() },
		func() string { return `"prefixItems":[` + below() + `,` + below() + `]` },
		func() string { return `"unevaluatedItems":` + below() },
		func() string { return `"contains":` + below() },
		func() string { return `"contains":` + below() + `,"minContains":0,"maxContains":1` },
		func() string { return `"uniqueItems":true,"maxItems":2` },
		func() string { return `"minItems":1` },
		func() string { return `"allOf":[` + below() + `,` + below() + `]` },
		func() string { return `"anyOf":[` + below() + `,` + below() + `]` },
		func() string { return `"oneOf":[` + below() + `,` + below() + `]` },
		func() string { return `"not":` + below() },
		func() string { return `"if":` + below() + `,"then":` + below() + `,"else":` + below() },
		func() string { return `"multipleOf":` + pick(random, "2", "0.5", "0.1") },
		func() string { return `"exclusiveMinimum":1,"maximum":100` },
		func() string { return `"minLength":1,"maxLength":1` },
		func() string { return `"pattern":"^a"` },
		func() string { return `"format":"date"` },
		func() string { return `"const":` + pick(random, "1", `"a"`, `{"a":1}`, "[1]") },
		func() string { return `"$ref":"#/components/schemas/Node"` },
	}
	chosen := random.Perm(len(keywords))[:1+random.IntN(3)]
	seen := map[string]bool{}
	var parts []string
	for _, i := range chosen {
		part := keywords[i]()
		if name, _, _ := strings.Cut(part, ":"); !seen[name] {
			seen[name] = true
			parts = append(parts, part)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}
