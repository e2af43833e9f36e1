package mediatype

import (
	"strings"
	"testing"
)

func TestMediaTypesAreExactOfATypeOrOfASuffix(t *testing.T) {
	for text, want := range map[string]Pattern{
		"application/json":     {Type: "application", Subtype: "json"},
		"Application/JSON":     {Type: "application", Subtype: "json"},
		"image/*":              {Type: "image"},
		"*/*+json":             {Suffix: "+json"},
		"application/*+json":   {Type: "application", Suffix: "+json"},
		"application/ld+json":  {Type: "application", Subtype: "ld+json"},
		"application/vnd.a.v1": {Type: "application", Subtype: "vnd.a.v1"},
	} {
		if got, err := ParsePattern(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "json", "application/", "/json", "*/*", "*", "*/json", "application/json; charset=utf-8", "application/js*", "application/*json", "application/*+",
		"application/*+*", "a/b/c", "app lication/json", "application/json\r\n", "*/*+json;x=y", "application/jsön",
	} {
		if got, err := ParsePattern(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestAPatternFitsWhatItStandsForAndNothingElse(t *testing.T) {
	for text, fits := range map[string]map[string]bool{
		"application/json":   {"application/json": true, "APPLICATION/Json": true, "application/jsonp": false, "text/json": false},
		"image/*":            {"image/png": true, "image/svg+xml": true, "imagery/png": false},
		"*/*+json":           {"application/ld+json": true, "model/x+JSON": true, "application/json": false, "application/+json": false},
		"application/*+json": {"application/ld+json": true, "model/x+json": false},
	} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		for media, want := range fits {
			major, minor, _ := strings.Cut(media, "/")
			if p.Fits(major, minor) != want {
				t.Errorf("%s fits %s: %t", text, media, !want)
			}
		}
	}
}
