package path

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNextSegmentWalksAPath(t *testing.T) {
	for p, want := range map[string][]string{"": nil, "/": {""}, "/a": {"a"}, "/a/": {"a", ""}, "/a/bc/d": {"a", "bc", "d"}} {
		var got []string
		for rest := p; rest != ""; {
			var segment string
			segment, rest = NextSegment(rest)
			got = append(got, segment)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", p, got, want)
		}
	}
}

func TestPrefixEndsAtASegment(t *testing.T) {
	for _, tt := range []struct {
		path, prefix string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a/", "/a", true},
		{"/a/b", "/a", true},
		{"/ab", "/a", false},
		{"/", "/a", false},
		{"/A", "/a", false},
		{"/", "/", true},
		{"/a/b", "/", true},
		{"/a", "/a/", false},
		{"/a/", "/a/", true},
		{"/a/b", "/a/", true},
		{"/ab/", "/a/", false},
		{"/a/b", "/a/b", true},
		{"/a/bc", "/a/b", false},
		{"/a", "", false},
		{"", "/", false},
	} {
		if got := HasPrefix(tt.path, tt.prefix); got != tt.want {
			t.Errorf("HasPrefix(%q, %q) = %v", tt.path, tt.prefix, got)
		}
	}
}

func TestTemplateMatchesWholeSegments(t *testing.T) {
	for _, tt := range []struct {
		template, path string
		want           []string
		ok             bool
	}{
		{"/orders/{id}/lines/{line}", "/orders/7/lines/a%20b", []string{"7", "a%20b"}, true},
		{"/orders/{id}", "/orders/7/", nil, false},
		{"/orders/{id}", "/orders/", nil, false},
		{"/orders/{id}", "/orders", nil, false},
		{"/orders/{id}/x", "/orders/7/y", nil, false},
		{"/orders/{id}/", "/orders/7/", []string{"7"}, true},
		{"/orders/{id}/", "/orders/7", nil, false},
		{"/{a}/{b}", "/x/y/z", nil, false},
		{"/", "/", nil, true},
		{"/", "/a", nil, false},
		{"/{_a1}", "/x", []string{"x"}, true},
		{"/{a}", "/", nil, false},
	} {
		template, err := ParseTemplate(tt.template)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := template.Match(tt.path, []string{"kept"})
		if template.Fits(tt.path) != ok {
			t.Errorf("%q fits %q: %v, and matches: %v", tt.path, tt.template, !ok, ok)
		}
		if ok != tt.ok || got[0] != "kept" || !slices.Equal(got[1:], tt.want) {
			t.Errorf("%s on %s: %q, %v", tt.template, tt.path, got, ok)
		}
		if ok && len(template.Names()) != len(tt.want) || template.String() != tt.template {
			t.Errorf("%s: names %q", template, template.Names())
		}
	}
	if _, ok := (Template{}).Match("", nil); ok {
		t.Error("the zero template matches")
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	for _, text := range []string{
		"", "a", "{a}", "/{}", "/{1a}", "/{a-b}", "/{a}/{a}", "/x{a}", "/{a}x", "/{a", "/a}", "/{a}{b}", "//", "/a//b", "/../a", "/%2e",
		"/a;b", "/a b", "/a?b", "/%61", "/%c3%a9", "/{é}", "/{a/b}",
	} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	var refusal *Error
	if _, err := ParseTemplate("/a/../b"); !errors.As(err, &refusal) || refusal.Reason != DotSegment {
		t.Errorf("got %v", err)
	}
	if _, err := ParseTemplate("/%61"); err == nil || !strings.Contains(err.Error(), `write "a"`) {
		t.Errorf("got %v", err)
	}
}

func TestTemplateMatchDoesNotAllocate(t *testing.T) {
	template, err := ParseTemplate("/orders/{id}/lines/{line}")
	if err != nil {
		t.Fatal(err)
	}
	params := make([]string, 0, 2)
	if allocs := testing.AllocsPerRun(100, func() { params, _ = template.Match("/orders/7/lines/3", params[:0]) }); allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func FuzzTemplateMatchesItsOwnLiteral(f *testing.F) {
	f.Add("/orders/{id}", "/orders/7")
	f.Add("/a//{b}", "/")
	f.Fuzz(func(t *testing.T, text, p string) {
		template, err := ParseTemplate(text)
		if err != nil {
			return
		}
		values, ok := template.Match(p, nil)
		if template.Fits(p) != ok {
			t.Fatalf("%q fits %q: %v, and matches: %v", p, text, !ok, ok)
		}
		if ok && len(values) != len(template.Names()) || !ok && len(values) != 0 {
			t.Fatalf("%q on %q: %q for %q", text, p, values, template.Names())
		}
		filled := text
		for _, name := range template.Names() {
			filled = strings.Replace(filled, "{"+name+"}", "v", 1)
		}
		if _, ok := template.Match(filled, nil); !ok {
			t.Fatalf("%q doesn't match %q", text, filled)
		}
		if again, err := Canonical(filled); err != nil || again != filled {
			t.Fatalf("%q isn't canonical: %v", filled, err)
		}
	})
}

func BenchmarkTemplateMatch(b *testing.B) {
	template, err := ParseTemplate("/api/v1/customers/{customer}/orders/{order}")
	if err != nil {
		b.Fatal(err)
	}
	params := make([]string, 0, 2)
	b.ReportAllocs()
	for b.Loop() {
		params, _ = template.Match("/api/v1/customers/8f14e45fceea/orders/42", params[:0])
	}
}
