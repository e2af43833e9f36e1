package openapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/openapi"
)

// pets is a list of pets of some size, in bytes at least.
func pets(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `,{"id":%d,"name":"Rex","kind":"dog","price":12.50,"owner":null,"labels":{"color":"brown","town":"Bern"},"friends":[{"id":1,"name":"Max","kind":"cat"}]}`, i)
	}
	return "[" + b.String()[1:] + "]"
}

func BenchmarkABody(b *testing.B) {
	o, _ := operation(b, petshop(b), "GET", "/pets")
	content, _ := o.Answer(200).Head("application/json", true, func(string) (string, bool) { return "/", true })
	for _, size := range []int{1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			text := pets(size)
			v := frozen(readValue(b, text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if breaches := openapi.Check(content, v, len(text), openapi.ToCaller); len(breaches) > 0 {
					b.Fatal(breaches)
				}
			}
		})
	}
}

func BenchmarkAHead(b *testing.B) {
	d := petshop(b)
	head := &openapi.Head{Query: "limit=5&tags=a&tags=b&ids=1,2", Strict: true, Header: func(name string) (string, bool) { return "session=12345678", name == "Cookie" }}
	params := make([]string, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		m := d.Match("GET", "/pets", params)
		if breaches := m.Operation.Head(head); len(breaches) > 0 {
			b.Fatal(breaches)
		}
	}
}

func BenchmarkCompile500Operations(b *testing.B) {
	text := large(500)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if d := compile(b, text); len(d.Operations()) != 500 {
			b.Fatal(len(d.Operations()))
		}
	}
}

// large is a description of so many operations, each with parameters and bodies of its own.
func large(operations int) string {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\ninfo: {title: large, version: '1'}\npaths:\n")
	for i := range operations {
		fmt.Fprintf(&b, `  /things%d/{id}:
    post:
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Thing%d'}}}}
      responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Thing%d'}}}}}}
`, i, i, i)
	}
	b.WriteString("components:\n  schemas:\n")
	for i := range operations {
		fmt.Fprintf(&b, `    Thing%d:
      type: object
      required: [name, kind]
      properties:
        name: {type: string, minLength: 1, maxLength: 20, pattern: '^[a-z]+$'}
        kind: {enum: [a, b, c]}
        next: {$ref: '#/components/schemas/Thing%d'}
        tags: {type: array, items: {type: string}, maxItems: 10}
      additionalProperties: false
`, i, (i+1)%operations)
	}
	return b.String()
}

// solid is a value whose members are made once.
type solid struct {
	*value
	below []*solid
}

func frozen(v *value) *solid {
	s := &solid{value: v}
	for _, below, next, ok := v.Next(0); ok; _, below, next, ok = v.Next(next) {
		s.below = append(s.below, frozen(below))
	}
	return s
}

func (s *solid) Next(after int) (string, *solid, int, bool) {
	if after >= len(s.below) {
		return "", nil, 0, false
	}
	name := ""
	if s.names != nil {
		name = s.names[after]
	}
	return name, s.below[after], after + 1, true
}
