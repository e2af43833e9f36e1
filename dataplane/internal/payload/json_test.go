package payload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

// faultOf returns the rule that parsing broke; "" none.
func faultOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	f, ok := errors.AsType[*payload.Fault](err)
	if !ok {
		t.Fatalf("%v is no fault", err)
	}
	if f.Rule == "" || f.Reason == "" {
		t.Errorf("the fault %+v doesn't say all", f)
	}
	return f.Rule
}

// reference is what encoding/json makes of a text.
func reference(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("trailing")
	}
	return v, nil
}

var jsonSeeds = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `"x"`, ` { "a" : [ 1 , 2.5e3 , {"b":null} ] , "c" : "d\n\u00e9\ud83d\ude00" } `,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[[[[[]]]],{}]`, `[1,]`, `{"a"}`, `{"a":}`, `{,}`, `01`, `1.`, `.5`, `1e`, `-`, `+1`, `"\x"`, `"\ud800"`, `"\ud800\u0041"`,
	"\"\x01\"", "\"\xff\"", "\xef\xbb\xbf{}", `{} {}`, `nul`, `nullx`, `[1 2]`, `{"a":1 "b":2}`, `]`, `"`, `{"`, `[`, `{"a":[{"b":`, `9007199254740993`, `1e400`, `1e-400`,
	`{"__proto__":1}`, `{"constructor":{"prototype":{}}}`, strings.Repeat("[", 1001), `"` + strings.Repeat("a", 40) + `\"` + strings.Repeat("b", 9) + `"`, "NaN", "'a'", "/**/1", "[\v1]", "[1]\x00",
}

// TestWhatJSONIsTakenReadsAsTheStandardLibraryReadsIt is the property of the parser: what it takes has one reading, the reference's.
func checkJSON(t testing.TB, text []byte) {
	doc, err := payload.ParseJSON(text, nil)
	want, refused := reference(text)
	if err != nil {
		rule := faultOf(t, err)
		if refused == nil && (rule == "json_syntax" || rule == "json_control" || rule == "json_trailing") {
			t.Fatalf("%q is refused by %v, and the reference takes it", text, err)
		}
		return
	}
	if refused != nil && !strings.Contains(refused.Error(), "exceeded max depth") {
		t.Fatalf("%q is taken, and the reference says %v", text, refused)
	}
	got, err := doc.Any(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q is read as %#v, by the reference as %#v", text, got, want)
	}
	checkStats(t, doc, text)
}

// checkStats counts anew, by the reference's tokens.
func checkStats(t testing.TB, doc *payload.JSON, text []byte) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	type container struct {
		object  bool
		n       int
		keys    map[string]bool
		wantKey bool
	}
	var stack []*container
	var values, depth, keys, entries, keyBytes, textBytes int
	duplicate := false
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		if delim, ok := token.(json.Delim); ok && (delim == ']' || delim == '}') {
			stack = stack[:len(stack)-1]
			continue
		}
		if len(stack) > 0 {
			top := stack[len(stack)-1]
			if top.object && !top.wantKey {
				key := token.(string)
				duplicate = duplicate || top.keys[key]
				top.keys[key], top.wantKey = true, true
				top.n++
				keys, keyBytes = max(keys, top.n), max(keyBytes, len(key))
				continue
			}
			top.wantKey = false
			if !top.object {
				top.n++
				entries = max(entries, top.n)
			}
		}
		values++
		switch v := token.(type) {
		case json.Delim:
			stack = append(stack, &container{object: v == '{', keys: map[string]bool{}})
			depth = max(depth, len(stack))
		case string:
			textBytes = max(textBytes, len(v))
		}
	}
	s := doc.Stats()
	got := []any{s.Values, s.Depth.Most, s.Keys.Most, s.Entries.Most, s.KeyBytes.Most, s.TextBytes.Most, s.Duplicate.IsSomewhere()}
	want := []any{values, depth, keys, entries, keyBytes, textBytes, duplicate}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("of %q is counted %v; it is %v", text, got, want)
	}
}

func TestWhatJSONIsTakenReadsAsTheStandardLibraryReadsIt(t *testing.T) {
	t.Parallel()
	for _, seed := range jsonSeeds {
		checkJSON(t, []byte(seed))
	}
	for n := range 300 { // objects around the number of keys at which duplicates are looked for otherwise
		var b strings.Builder
		for i := range n % 30 {
			fmt.Fprintf(&b, `,"k%d":%d`, i*(n%7+1)%(n%13+5), i)
		}
		checkJSON(t, []byte("{"+strings.TrimPrefix(b.String(), ",")+"}"))
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkJSON(t, text) })
}
