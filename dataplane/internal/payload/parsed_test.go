package payload_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

func TestABodyIsDecodedAndParsedOnce(t *testing.T) {
	t.Parallel()
	b := bodyOf(t, nil, coded(t, "gzip", []byte(`{"a":1}`)))
	if _, err := b.JSON(); err == nil {
		t.Error("what nobody has decoded is parsed")
	}
	one, err := b.Decoded("gzip", 100, 100)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := b.Decoded("gzip", 200, 200)
	if &one[0] != &two[0] {
		t.Error("it is decoded twice")
	}
	first, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := b.JSON(); second != first {
		t.Error("it is parsed twice")
	}
	broken := bodyOf(t, nil, []byte("{"))
	if _, err := broken.Decoded("", 100, 100); err != nil {
		t.Fatal(err)
	}
	_, err = broken.JSON()
	if _, again := broken.JSON(); err == nil || !errors.Is(again, err) {
		t.Errorf("what is broken is parsed twice: %v, then %v", err, again)
	}
}

func TestEverythingMadeOfABodyIsPaidForAndGivenBack(t *testing.T) {
	t.Parallel()
	text := []byte(`[` + strings.Repeat(`{"key":"value","other":[1,2,3]},`, 2000) + `0]`)
	memory := payload.NewMemory(32 << 20)
	b := bodyOf(t, memory, coded(t, "gzip", text))
	if _, err := b.Decoded("gzip", 1<<20, 1000); err != nil {
		t.Fatal(err)
	}
	doc, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	parsed := memory.Used()
	if least := int64(len(text) + 16*doc.Stats().Values); parsed < least {
		t.Errorf("%d bytes are taken, and the document alone has %d", parsed, least)
	}
	if _, err := doc.Any(b.Share()); err != nil || memory.Used() <= parsed {
		t.Errorf("Go's own types cost nothing: %v", err)
	}
	if b.Trim(); memory.Used() != int64(cap(b.Raw())) {
		t.Errorf("of what was made of it %d bytes are still taken", memory.Used()-int64(cap(b.Raw())))
	}
	if _, err := b.Decoded("gzip", 1<<20, 1000); err != nil {
		t.Errorf("it can't be decoded again: %v", err)
	}
	if b.Release(); memory.Used() != 0 {
		t.Errorf("%d bytes are still taken", memory.Used())
	}
	for _, room := range []int64{100 << 10, 200 << 10, 400 << 10} { // too little, at one step or the other
		memory := payload.NewMemory(room)
		b := bodyOf(t, memory, text)
		if _, err := b.Decoded("", 1<<20, 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := b.JSON(); err != nil && !errors.Is(err, payload.ErrNoMemory) {
			t.Error(err)
		}
		if _, err := payload.ParseJSON([]byte("["+strings.Repeat("[],", 500_000)+"0]"), b.Share()); !errors.Is(err, payload.ErrNoMemory) {
			t.Errorf("a document is parsed that there is no room for: %v", err)
		}
		if b.Release(); memory.Used() != 0 {
			t.Errorf("%d bytes are still taken", memory.Used())
		}
	}
}

func TestJSONBeyondAllBoundsIsRefused(t *testing.T) {
	t.Parallel()
	for text, rule := range map[string]string{
		strings.Repeat("[", 1001): "json_depth", strings.Repeat(`{"a":`, 1001): "json_depth", "[" + strings.Repeat("0,", 1<<20) + "0]": "json_values",
		"\xef\xbb\xbf{}": "json_byte_order_mark", "\xff\xfe{\x00}\x00": "json_utf8", "{}x": "json_trailing", "{} {}": "json_trailing", `"\ud800"`: "json_escape", `"\x"`: "json_escape",
		"\"\n\"": "json_control", "[1": "json_syntax", "": "json_syntax", "NaN": "json_syntax",
	} {
		if _, err := payload.ParseJSON([]byte(text), nil); faultOf(t, err) != rule {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestPlacesAreToldAsPointers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][5]string{ // depth, duplicate, prototype, inexact, fraction
		`{"a":[0,{"b/~":{"c":1,"c":2}}]}`:                         {"/a/1/b~1~0", "/a/1/b~1~0/c", "", "", ""},
		`[1,{"x":1e999,"__pr\u006fto__":3},9007199254740993]`:     {"/1", "", "/1/__proto__", "/1/x", "/1/x"},
		`{"constructor":{"prototype":{"z":0.5}}}`:                 {"/constructor/prototype", "", "/constructor/prototype", "", "/constructor/prototype/z"},
		`[[9007199254740991,-9007199254740992,1e400,1e-400,0e9]]`: {"/0", "", "", "/0/1", "/0/2"},
		`{"prototype":1,"constructor":2,"a":{"\u0061":1,"a":2}}`:  {"/a", "/a/a", "", "", ""},
	} {
		doc, err := payload.ParseJSON([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := doc.Stats()
		got := [5]string{doc.Pointer(s.Depth.At), doc.Pointer(s.Duplicate), doc.Pointer(s.Prototype), doc.Pointer(s.Inexact), doc.Pointer(s.Fraction)}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, pointer := range map[string]string{`{"a":[1,{"b":x}]}`: "/a/1/b", `[[],[1 2]]`: "/1", `{"a":{"b"}}`: "/a/b", `x`: "", `[{"a":"\q"}]`: "/0/a"} {
		_, err := payload.ParseJSON([]byte(text), nil)
		if f, ok := errors.AsType[*payload.Fault](err); !ok || f.Pointer != pointer {
			t.Errorf("%s: %+v, want %s", text, err, pointer)
		}
	}
}

func TestAPointerIsNeverAsLongAsADocument(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 5000)
	text := strings.Repeat(`{"`+long+`":[`, 100) + "1e999" + strings.Repeat(`]}`, 100)
	doc, err := payload.ParseJSON([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := doc.Pointer(doc.Stats().Inexact); len(p) > 700 || !strings.Contains(p, "…") {
		t.Errorf("the pointer has %d bytes", len(p))
	}
}

// TestDuplicatesAreFoundAmongManyKeysThatLookAlike looks for duplicates among keys that an attacker would send: many, alike, escaped.
func TestDuplicatesAreFoundAmongManyKeysThatLookAlike(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, `"%s%d":0,"\u006b%d":0,`, strings.Repeat("k", 10), i, i)
	}
	doc, err := payload.ParseJSON([]byte("{"+b.String()+`"z":0}`), nil)
	if err != nil || doc.Stats().Duplicate.IsSomewhere() {
		t.Errorf("keys that differ are taken for one: %v", err)
	}
	doc, err = payload.ParseJSON([]byte("{"+b.String()+`"k49999":0}`), nil)
	if err != nil || doc.Pointer(doc.Stats().Duplicate) != "/k49999" {
		t.Errorf("a key that comes twice isn't found: %v", err)
	}
}

func BenchmarkParsers(b *testing.B) {
	orders := []byte(`[` + strings.Repeat(`{"id":12345,"name":"A customer's name","price":19.99,"tags":["new","sale"],"address":{"street":"Main Street 1","city":"Berlin"},"ok":true},`, 70) + `null]`)
	form := []byte(strings.Repeat("name=A+customer%27s+name&price=19.99&", 270) + "z=1")
	xml := []byte(`<orders>` + strings.Repeat(`<order id="12345"><name>A customer&apos;s name</name><price currency="EUR">19.99</price></order>`, 105) + `</orders>`)
	parts := []byte(multipartOf(field, file+strings.Repeat("0123456789abcdef", 600), field))
	for name, run := range map[string]func() error{
		"json":      func() error { _, err := payload.ParseJSON(orders, nil); return err },
		"form":      func() error { _, err := payload.ParseForm(form, nil); return err },
		"xml":       func() error { _, err := payload.ParseXML(xml, nil); return err },
		"multipart": func() error { _, err := payload.ParseMultipart(parts, boundary, nil); return err },
	} {
		size := map[string]int{"json": len(orders), "form": len(form), "xml": len(xml), "multipart": len(parts)}[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(float64(size)/1024), "ns/KB")
		})
	}
}
