package path

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

var every = Form{DotSegments: true, EmptySegments: true, Backslashes: true, EncodedSlashes: true, Parameters: true}

// forms are all that there are.
func forms() []Form {
	var all []Form
	for bits := range 1 << 5 {
		all = append(all, Form{bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&16 != 0})
	}
	return all
}

func TestEachFormGivesItsSortOneReading(t *testing.T) {
	for name, tt := range map[string]struct {
		form  Form
		wants map[string]string
	}{
		"dot segments": {Form{DotSegments: true}, map[string]string{
			"/.": "/", "/..a/.b/...": "/..a/.b/...", "/a/..": "/", "/a/../": "/", "/a/./b": "/a/b", "/a/.": "/a/", "/a/b/../c": "/a/c",
			"/a/b/..": "/a/", "/a/%2e%2E/c": "/c", "/%2e/a": "/a", "/a/.%2e/b/./../%7e": "/~", "/a/b/c/../../../d": "/d",
		}},
		"empty segments":  {Form{EmptySegments: true}, map[string]string{"//": "/", "///a//b///": "/a/b/", "/a//": "/a/", "/%7e//": "/~/"}},
		"backslashes":     {Form{Backslashes: true}, map[string]string{`/a\b`: "/a/b", `/a\`: "/a/", `/a\%7e`: "/a/~"}},
		"encoded slashes": {Form{EncodedSlashes: true}, map[string]string{"/a%2fb": "/a%2Fb", "/a%2Fb/c": "/a%2Fb/c", "/a%5cb": "/a%5Cb", "/a%2Fb%2f%7e": "/a%2Fb%2F~"}},
		"parameters":      {Form{Parameters: true}, map[string]string{"/a;x=1/b": "/a/b", "/a;": "/a", "/a;x;y": "/a", "/a/b;%7e;c%20/d": "/a/b/d"}},
		"all": {every, map[string]string{
			`/a\..\b`: "/b", "//a;x//./b%2fc": "/a/b%2Fc", `/a/;`: "", "/a//b/../c": "/a/c", `\a`: "", `/.\.\a`: "/a", "/a/..//b": "/b",
		}},
	} {
		for raw, want := range tt.wants {
			if got, err := tt.form.Canonical(raw); got != want || (err == nil) != (want != "") {
				t.Errorf("%s: %q: %q, %v, want %q", name, raw, got, err, want)
			}
		}
	}
}

func TestNoFormLetsPassWhatHasNoSafeReading(t *testing.T) {
	for reason, raws := range map[Reason][]string{
		DotSegment: {
			"/..", "/../a", "/a/../..", "/./..", "/a/../../b", // above the root
			"/a//../b", "//../a", "/a//..", // merged first, or resolved first?
			"/a%2Fb/..", "/a%5cb/../c", // one step back, or two?
			"/..;", "/..;x/a", "/.;/a", "/%2e%2e;/a", // parameters that some take off behind, others before
			"/..%2fa", "/a%2f..", "/a%2F.%2Fb", "/a%5c..%5cb", "/%2e%2e%2fa",
		},
		EmptySegment:     {"/;", "/a/;x/b", "/%2f", "/%2Fa", "/a%2f", "/a%2F%2fb", "/a%5c/b"},
		Parameter:        {"/a%3bb", "/..%3b/"},
		DoubleEncoding:   {"/%252e", "/a%252fb", "/%25%32%66", "/a;%252e"},
		InvalidEscape:    {"/%", "/a;%zz"},
		ControlCharacter: {"/a%00b", "/a\x00", "/a;\x00", "/%0a"},
		InvalidUTF8:      {"/%c0%af", "/%c0%ae%c0%ae/a", "/a;%ff"},
		NonASCII:         {"/é", "/a;\xff"},
		Delimiter:        {"/a?b", "/a;#"},
		InvalidCharacter: {"/a b", "/a;<"},
		NotAbsolute:      {"", "a", `\a`, "*"},
	} {
		for _, raw := range raws {
			got, err := every.Canonical(raw)
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Reason != reason || got != "" {
				t.Errorf("%q: %q, %v, want %s", raw, got, err, reason)
			}
		}
	}
}

func TestACanonicalPathDoesNotAllocateInAnyForm(t *testing.T) {
	for _, form := range forms() {
		if allocs := testing.AllocsPerRun(10, func() {
			if got, err := form.Canonical("/v1/orders/8f14e45f/lines/3%20x/%C3%A9/"); err != nil || HasEncodedSlash(got) {
				t.Error(got, err)
			}
		}); allocs != 0 {
			t.Errorf("%+v: %v allocations", form, allocs)
		}
	}
}

func TestEncodedSlashesAreSeenAndDecoded(t *testing.T) {
	for canonical, want := range map[string]string{"/": "/", "/a%20b": "/a%20b", "/a%2Fb": "/a/b", "/%41%5Cb%25": "/%41/b%25", "/100%25": "/100%25"} {
		if got := string(DecodeSlashes(nil, canonical)); got != want || HasEncodedSlash(canonical) != (want != canonical) {
			t.Errorf("%q is read as %q, %v", canonical, got, HasEncodedSlash(canonical))
		}
	}
}

// reference does what a Form promises in the plainest way: for paths that it lets pass.
func reference(f Form, raw string) string {
	if f.Backslashes {
		raw = strings.ReplaceAll(raw, `\`, "/")
	}
	segments := strings.Split(raw[1:], "/")
	var kept []string
	for i, segment := range segments {
		if f.Parameters {
			segment, _, _ = strings.Cut(segment, ";")
		}
		dots := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(segment)
		switch last := i == len(segments)-1; {
		case f.DotSegments && dots == "..":
			kept = kept[:len(kept)-1]
			if last {
				kept = append(kept, "")
			}
		case f.DotSegments && dots == ".":
			if last {
				kept = append(kept, "")
			}
		case f.EmptySegments && segment == "" && !last:
		default:
			kept = append(kept, string(appendSegment(nil, segment)))
		}
	}
	if f.EmptySegments && len(kept) > 1 && kept[len(kept)-1] == "" && kept[len(kept)-2] == "" {
		kept = kept[:len(kept)-1]
	}
	return "/" + strings.Join(kept, "/")
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"/", "/a/../b", "//a", `/a\b`, "/a%2fb", "/a;x/b", "/..;/a", "/a//../b", "/a%2F..", "/%2e%2e/", "/a/./", "/a%5cb/..", "/%25%32%66", "/a/b/..//c;d/%2E",
		"/;", "/a/..", "/./", "/a//", `/\`, `/a\..\..`, "/a%2f%2e%2e/b",
	} {
		f.Add(s)
	}
	all := forms()
	f.Fuzz(func(t *testing.T, raw string) {
		plain, plainErr := Canonical(raw)
		for _, form := range all {
			got, err := form.Canonical(raw)
			if err != nil {
				if plainErr == nil {
					t.Fatalf("%q: %+v refuses what is canonical to all: %v", raw, form, err)
				}
				continue
			}
			if plainErr == nil && got != plain {
				t.Fatalf("%q: %+v reads %q, the strictest %q", raw, form, got, plain)
			}
			if again, err := form.Canonical(got); err != nil || again != got {
				t.Fatalf("%q: %+v: %q, then %q, %v", raw, form, got, again, err)
			}
			if want := reference(form, raw); got != want {
				t.Fatalf("%q: %+v: %q, want %q", raw, form, got, want)
			}
			// What is left of two readings are encoded slashes, and decoding those makes no step.
			read := DecodeSlashes(nil, got)
			if _, err := Canonical(string(read)); err != nil || !form.EncodedSlashes && !bytes.Equal(read, []byte(got)) {
				t.Fatalf("%q: %+v: %q is read as %q, which the strictest form refuses: %v", raw, form, got, read, err)
			}
		}
	})
}
