package path

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestCanonicalPathsStayAsTheyAre(t *testing.T) {
	for _, p := range []string{
		"/", "/a", "/a/", "/a/b.c/d-e_f~g", "/...", "/..a", "/a..", "/.well-known/x", "/a!$&'()*+,=:@b",
		"/a%20b", "/a%C3%A9", "/%F0%9F%98%80", "/%EF%BF%BD", "/a%3Fb%23c", "/100%25", "/%25g0", "/%252", "/%25%20",
	} {
		if got, err := Canonical(p); err != nil || got != p {
			t.Errorf("%q: %q, %v", p, got, err)
		}
	}
}

func TestEquivalentFormsBecomeOne(t *testing.T) {
	for raw, want := range map[string]string{
		"/%61dmin":            "/admin",
		"/%41%5a%30%2d%5F%7e": "/AZ0-_~",
		"/file%2ejson":        "/file.json",
		"/%2e%2e%2e":          "/...",
		"/a%c3%a9":            "/a%C3%A9",
		"/a%3fb/%7e":          "/a%3Fb/~",
		"/100%25%7e":          "/100%25~",
		"/orders%3Aexport":    "/orders:export",
		"/a%21%24%26%40b%2Bc": "/a!$&@b+c",
	} {
		if got, err := Canonical(raw); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", raw, got, err, want)
		}
	}
}

func TestWhatHasTwoReadingsIsRefused(t *testing.T) {
	tests := map[Reason][]string{
		NotAbsolute:      {"", "a", "*", "http://host/", "%2fa"},
		DotSegment:       {"/.", "/..", "/./", "/a/../b", "/a/.", "/%2e", "/%2E%2e/", "/.%2e", "/a/%2e./b"},
		EmptySegment:     {"//", "//a", "/a//b", "/a//"},
		EncodedSlash:     {"/a%2fb", "/a%2Fb", "/..%2f", "/a%5cb", "/%5C"},
		Backslash:        {`/a\b`, `/\`},
		Parameter:        {"/a;b", "/..;/a", "/a%3bb", "/a%3B"},
		DoubleEncoding:   {"/%252e", "/%2561", "/%25%32%66", "/%252%66", "/%25%36f", "/a%2500"},
		InvalidEscape:    {"/%", "/a%2", "/%zz", "/%2g", "/%%", "/%u002f"},
		ControlCharacter: {"/a\x00", "/\n", "/\x7f", "/%00", "/a%0d%0a", "/%7f", "/%1F"},
		NonASCII:         {"/é", "/\x80", "/\xff"},
		InvalidUTF8:      {"/%80", "/%c0%af", "/%C0%AE", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80", "/%c3", "/%c3/%a9", "/%c3x%a9", "/%ff", "/%c3%2"},
		Delimiter:        {"/a?b", "/a#b", "/?"},
		InvalidCharacter: {"/a b", "/ ", `/"`, "/<", "/>", "/[a]", "/^", "/`", "/{a}", "/a|b"},
	}
	for reason, raws := range tests {
		for _, raw := range raws {
			got, err := Canonical(raw)
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Reason != reason || got != "" {
				t.Errorf("%q: %q, %v, want %s", raw, got, err, reason)
			}
		}
	}
	for r := range Reason(len(reasonNames)) {
		if r > 0 && len(tests[r]) == 0 {
			t.Errorf("%s isn't tested", r)
		}
	}
}

func TestOffsetPointsAtWhatIsRefused(t *testing.T) {
	for raw, want := range map[string]int{"x": 0, "/ab/../c": 4, "/a//b": 3, "/ab%2fc": 3, "/a;": 2, "/a/%2e": 3} {
		var refusal *Error
		if _, err := Canonical(raw); !errors.As(err, &refusal) || refusal.Offset != want {
			t.Errorf("%q: %v, want byte %d", raw, err, want)
		}
	}
}

func TestReasonsHaveStableNames(t *testing.T) {
	snakeCase := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for r := NotAbsolute; r <= InvalidCharacter; r++ {
		if name := r.String(); !snakeCase.MatchString(name) || name == "unknown" || seen[name] {
			t.Errorf("%d: %q", r, name)
		}
		seen[r.String()] = true
	}
	if Reason(0).String() != "unknown" || Reason(200).String() != "unknown" {
		t.Error("a reason that is none has a name")
	}
	if got := (&Error{Reason: DotSegment, Offset: 3}).Error(); got != "path refused: dot_segment at byte 3" {
		t.Error(got)
	}
}

// refusedInResult finds what a canonical path never holds.
var refusedInResult = regexp.MustCompile(`(?i)//|\\|;|\?|#|%2f|%5c|%3b|%0|%1|%7f|%25[0-9a-f]{2}|[^\x21-\x7E]|/\.\.?(/|$)|%2e`)

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		"/", "/a/b/", "/%61", "/%2e%2E/a", "/a%2fb", "/%25%32%66", "/%c3%a9", "/%c0%af", "/a;b", "//a", `/\`, "/%e2%82", "/100%25",
		"/%25%25", "/%2525", "/..%3b/", "/%EF%BC%8F", "/a%00", "*", "/%7E%7e", "/.%2e/", "/a:b@c!$&'()*+,=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Canonical(raw)
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Reason.String() == "unknown" || refusal.Offset < 0 || refusal.Offset > len(raw) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if again, err := Canonical(got); err != nil || again != got {
			t.Fatalf("%q: %q, then %q, %v", raw, got, again, err)
		}
		if bad := refusedInResult.FindString(got); bad != "" || got[0] != '/' {
			t.Fatalf("%q: %q holds %q", raw, got, bad)
		}
		before, err := url.PathUnescape(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		parsed, err := url.ParseRequestURI(got)
		if err != nil || parsed.Path != before || parsed.Host != "" || parsed.RawQuery != "" {
			t.Fatalf("%q: net/url reads %q as %+v, %v", raw, got, parsed, err)
		}
	})
}

// Every escape of one byte, alone and in company, against what the standard library decodes.
func TestEveryEscapedByteIsJudged(t *testing.T) {
	for c := range 256 {
		for _, form := range []string{"/%%%02x", "/%%%02X", "/a%%%02xb", "/a/%%%02x/"} {
			raw := fmt.Sprintf(form, c)
			got, err := Canonical(raw)
			mustRefuse := c < 0x20 || c >= 0x7f || strings.ContainsRune("/\\;", rune(c)) || c == '.' && !strings.Contains(form, "b")
			if (err != nil) != mustRefuse {
				t.Errorf("%q: %q, %v", raw, got, err)
			}
		}
	}
}

func TestCanonicalPathDoesNotAllocate(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := Canonical("/v1/orders/8f14e45f/lines/3%20x/%C3%A9"); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, raw := range map[string]string{
		"canonical": "/api/v1/customers/8f14e45fceea/orders/42",
		"escapes":   "/api/v1/customers/J%C3%BCrgen%20X/orders/42",
		"rewritten": "/api/v1/customers/%7Efoo/orders/42",
		"refused":   "/api/v1/customers/../orders/42",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Canonical(raw)
			}
		})
	}
}
