package problem

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func sample() Problem {
	p := New(InvalidRequest, `name "a/b" is not allowed`)
	p.Instance = "/requests/1"
	p.RequestID = "0190-abc"
	p.Errors = []Violation{
		{Pointer: "/name", Code: ViolationInvalidFormat, Detail: "no slash", Given: "a/b", Allowed: "[a-z]+"},
		{Pointer: "", Code: ViolationRequired, Detail: "needs a body"},
	}
	p.Referrers = []Reference{{Type: "route", ID: "rt_1", Name: "orders", Pointer: "/service"}, {Type: "policy", ID: "pol_1"}}
	return p
}

func TestAppendWritesTheDocumentedForm(t *testing.T) {
	const want = `{"type":"https://github.com/sallyport/sallyport/blob/main/proto/problem/pages/invalid_request.md","title":"Invalid request","status":400,` +
		`"code":"invalid_request","detail":"name \"a/b\" is not allowed","instance":"/requests/1","request_id":"0190-abc",` +
		`"errors":[{"pointer":"/name","code":"invalid_format","detail":"no slash","given":"a/b","allowed":"[a-z]+"},` +
		`{"pointer":"","code":"required","detail":"needs a body"}],` +
		`"referrers":[{"type":"route","id":"rt_1","name":"orders","pointer":"/service"},{"type":"policy","id":"pol_1"}]}`
	if got := string(sample().Append(nil)); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	if got := string(New(NotFound, "").Append([]byte("x"))); !strings.HasPrefix(got, `x{"type":`) || strings.Contains(got, "detail") {
		t.Fatalf("got %s", got)
	}
}

func TestProblemSurvivesARoundTrip(t *testing.T) {
	body, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var back Problem
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, sample()) {
		t.Fatalf("got %+v", back)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 2048)
	full := sample()
	allocs := testing.AllocsPerRun(100, func() {
		p := New(RateLimited, "limit <reached>")
		p.RequestID = "0190-abc"
		dst = p.Append(dst[:0])
		dst = full.Append(dst[:0])
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func FuzzAppendIsJSONThatReadsBack(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "<script>&amp;", "\u2028\u2029\ufffd", "\xff\xc0\xaf", "é😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := New(BadRequest, s)
		p.RequestID = s
		p.Errors = []Violation{{Pointer: s, Code: s, Detail: s, Given: s, Allowed: s}}
		body := p.Append(nil)
		if !utf8.Valid(body) || strings.ContainsAny(string(body), "<>&\u2028\u2029") {
			t.Fatalf("unsafe text in %q", body)
		}
		var back Problem
		if err := json.Unmarshal(body, &back); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		want := string([]rune(s)) // mends each invalid byte with U+FFFD
		if back.Detail != want || back.RequestID != want || back.Errors[0].Pointer != want || back.Errors[0].Allowed != want {
			t.Fatalf("%q read back as %q", s, back.Detail)
		}
	})
}

func BenchmarkAppendRejection(b *testing.B) {
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		p := New(RateLimited, "the limit of 10 requests per second is used up")
		p.RequestID = "0190a5c2-7b1e-7cc0-a0d3-1f2e3d4c5b6a"
		dst = p.Append(dst[:0])
	}
}
