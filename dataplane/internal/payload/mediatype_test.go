package payload_test

import (
	"mime"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

var mediaTypes = map[string]bool{ // whether they are taken
	"application/json": true, "Application/JSON": true, "application/json;charset=utf-8": true, `application/json ; charset="utf-8"`: true, "text/plain; charset=UTF-8; format=flowed": true,
	"multipart/form-data; boundary=x": true, `multipart/form-data; boundary="a b"`: true, "application/ld+json": true, " application/json ": true,
	"": false, "application": false, "application/": false, "/json": false, "application/json/x": false, "application/json;": false, "application/json;;a=b": false,
	"application/json; charset": false, "application/json; charset=": false, "application/json; charset =utf-8": false, "application/json; charset= utf-8": false,
	"application/json; charset=utf-8; charset=utf-7": false, "a/b; Charset=a; charset=a": false, `a/b; c="`: false, `a/b; c="x" y`: false, `a/b; c="x\"y"`: false, "a/b; c=x y": false,
	"a/b, c/d": false, "a/b; c=d, e/f": false, "a/b\x00": false, "a/b; c=\"\x01\"": false, "a /b": false, "a/ b": false, "ä/b": false, "*/*": true,
}

func checkMediaType(t testing.TB, text string) {
	t.Helper()
	got, err := payload.ParseMediaType(text)
	if err != nil {
		faultOf(t, err)
		return
	}
	full, parameters, err := mime.ParseMediaType(text)
	for name := range parameters {
		if strings.Contains(name, "*") { // continuations of RFC 2231 are the reference's alone
			return
		}
	}
	for _, p := range got.Parameters {
		if strings.Contains(p.Name, "*") {
			return
		}
	}
	if err != nil || full != got.Type+"/"+got.Subtype || len(parameters) != len(got.Parameters) {
		t.Fatalf("%q is read as %+v, by the reference as %q %v, %v", text, got, full, parameters, err)
	}
	for _, p := range got.Parameters {
		if parameters[p.Name] != p.Value {
			t.Fatalf("%q: %s is %q, to the reference %q", text, p.Name, p.Value, parameters[p.Name])
		}
	}
}

func TestAMediaTypeIsReadStrictlyOrNotAtAll(t *testing.T) {
	t.Parallel()
	for text, taken := range mediaTypes {
		if _, err := payload.ParseMediaType(text); (err == nil) != taken {
			t.Errorf("%q: %v", text, err)
		}
		checkMediaType(t, text)
	}
}

func FuzzMediaType(f *testing.F) {
	for text := range mediaTypes {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkMediaType(t, text) })
}
