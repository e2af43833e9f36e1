package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhatIsNoJSONIsRefusedWithItsPlace(t *testing.T) {
	tests := []struct {
		in   string
		line int
		col  int
	}{
		{"", 1, 1},
		{"  ", 1, 3},
		{"{", 1, 2},
		{"[1,]", 1, 4},
		{"{\"a\":1,}", 1, 8},
		{"{\"a\" 1}", 1, 6},
		{"{a:1}", 1, 2},
		{"{\n 'a':1}", 2, 2},
		{"[1 2]", 1, 4},
		{"nul", 1, 1},
		{"True", 1, 1},
		{"01", 1, 2},
		{"-", 1, 2},
		{"+1", 1, 1},
		{"1.", 1, 3},
		{".5", 1, 1},
		{"1e", 1, 3},
		{"0x1", 1, 2},
		{`"a`, 1, 3},
		{`"\x"`, 1, 3},
		{`"\u12"`, 1, 6},
		{"\"a\nb\"", 1, 3},
		{"{} {}", 1, 4},
		{"{}x", 1, 3},
		{"\ufeff{}", 1, 1},
		{"NaN", 1, 1},
		{"[1,\n2,\n\n x]", 4, 2},
		{"/**/{}", 1, 1},
		{"\x00", 1, 1},
		{"{\"a\":1 \x00}", 1, 8},
		{"\"\\u\xff\"", 1, 4},
	}
	for _, tt := range tests {
		_, violations, err := Parse([]byte(tt.in))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || violations != nil {
			t.Errorf("%q: %v, %v", tt.in, err, violations)
			continue
		}
		if syntax.Line != tt.line || syntax.Column != tt.col {
			t.Errorf("%q: %v, want line %d, column %d", tt.in, err, tt.line, tt.col)
		}
	}
}

func TestWhatTheGrammarLeavesOpenIsAViolation(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", `{"a":[{"b":1},{"b":1}]}`, nil},
		{"the same name twice", `{"a":1,"b":{"c":1,"c":2,"c":3},"a":2}`, []string{"/b/c duplicate_field", "/b/c duplicate_field", "/a duplicate_field"}},
		{"the same name in another spelling", `{"a":1,"\u0061":2}`, []string{"/a duplicate_field"}},
		{"a name to escape", `{"a/b~":1,"a/b~":1}`, []string{"/a~1b~0 duplicate_field"}},
		{"bytes that are no UTF-8", "[\"a\", \"\xff\"]", []string{"/1 invalid_format"}},
		{"a name that is no UTF-8", "{\"\xc0\xaf\":1}", []string{"/\uFFFD\uFFFD invalid_format"}},
		{"half a surrogate pair", `["\ud800","\udc00","\ud800\u0041","\ud83d\ude00"]`, []string{"/0 invalid_format", "/1 invalid_format", "/2 invalid_format"}},
		{"as deep as allowed", deep + strings.Repeat("]", MaxDepth), nil},
		{"one deeper", deep + "[]" + strings.Repeat("]", MaxDepth), []string{strings.Repeat("/0", MaxDepth) + " invalid_value"}},
		{"too deep for the stack", strings.Repeat("[", 1<<20), []string{strings.Repeat("/0", MaxDepth) + " invalid_value"}},
		{"a second NUL of the same name", `{"\u0000":1,"\u0000":1}`, []string{"/\x00 duplicate_field"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, violations, err := Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.Pointer+" "+v.Code)
			}
			if !slices.Equal(got, tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDuplicatesAreFoundInLargeObjects(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, `,"n%d":1,"n%d":1`, i, i/2)
	}
	_, violations, err := Parse([]byte("{" + b.String()[1:] + "}"))
	if err != nil || len(violations) != MaxFindings {
		t.Fatalf("%d violations, %v", len(violations), err)
	}
	for _, v := range violations {
		if v.Code != problem.ViolationDuplicateField {
			t.Fatalf("got %v", v)
		}
	}
}

func TestTheErrorRepeatsNothingOfTheDocument(t *testing.T) {
	_, _, err := Parse([]byte(`{"key": spk_secret}`))
	if err == nil || strings.Contains(err.Error(), "spk") {
		t.Fatalf("got %v", err)
	}
}

// Whatever encoding/json takes is taken, and the other way round, up to what is a violation here.
func FuzzTheReaderAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00"],"b":{}}`, `[`, `{"a":1,"a":2}`, "\"\xff\"", `"\ud800"`, ` 1 `, `-0`, `1e999`,
		`[[[[[[]]]]]]`, "\t{\r\n}", `{"":{"":""}}`, `"\u2028"`, `01`, `1.`, `{"a"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, violations, err := Parse(data)
		tooDeep := slices.ContainsFunc(violations, func(v problem.Violation) bool { return v.Code == problem.ViolationInvalidValue })
		if !tooDeep && (err == nil) != json.Valid(data) {
			t.Fatalf("%q: %v here, but valid is %v", data, err, json.Valid(data))
		}
		if err != nil || len(violations) > 0 {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := plain(root); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is %#v, but %#v to encoding/json", data, got, want)
		}
	})
}

// plain returns what encoding/json would make of a value.
func plain(v Value) any {
	switch v.Kind {
	case Bool:
		return v.True
	case Number:
		return json.Number(v.Text)
	case String:
		return v.Text
	case Array:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = plain(item)
		}
		return list
	case Object:
		object := map[string]any{}
		for _, m := range v.Members {
			object[m.Name] = plain(m.Value)
		}
		return object
	default:
		return nil
	}
}

func BenchmarkParse(b *testing.B) {
	document := []byte(`{"name":"orders","upstream":{"targets":[{"address":"10.0.3.7:8080","weight":3},{"address":"10.0.3.8:8080"}],"timeouts":{"connect":"2s"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(document); err != nil {
			b.Fatal(err)
		}
	}
}
