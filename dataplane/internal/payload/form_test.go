package payload_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

var formSeeds = []string{
	"", "a=1", "a=1&b=2", "a=1&a=2", "a", "=", "=x", "&&a=1&", "a+b=c+d", "a=%41%c3%a9", "a=ü", "a=b=c", "a=%", "a=%4", "a=%zz", "a;b=1", "a=1;b", "a=%3B", "a=\x00", "a= b",
	"a=%ff", "a=\xff", "a=%00", "a=%u0041", "a=1\r\n&b=2", "%61=1",
}

// checkForm holds the parser against net/url: what is taken reads alike.
func checkForm(t testing.TB, content string) {
	t.Helper()
	fields, err := payload.ParseForm([]byte(content), nil)
	want, refused := url.ParseQuery(content)
	if err != nil {
		if rule := faultOf(t, err); refused == nil && rule == "form_escape" {
			t.Fatalf("%q is refused by %v, and the reference takes it", content, err)
		}
		return
	}
	if refused != nil {
		t.Fatalf("%q is taken, and the reference says %v", content, refused)
	}
	got := url.Values{}
	for _, f := range fields {
		got.Add(f.Name, f.Value)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q is read as %v, by the reference as %v", content, got, want)
	}
}

func TestWhatFormsAreTakenReadAsTheStandardLibraryReadsThem(t *testing.T) {
	t.Parallel()
	for _, seed := range formSeeds {
		checkForm(t, seed)
	}
}

func TestFormsThatParsersReadDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	for content, rule := range map[string]string{
		"a=1;b=2": "form_separator", "a=%": "form_escape", "a=%4": "form_escape", "a=%4g": "form_escape", "a=%u0041": "form_escape", "a=\x00": "form_control", "a=1\r\n": "form_control",
		"a=b c": "form_control", "a=%ff": "form_utf8", "a=\xc0\xaf": "form_utf8", "%c3=1": "form_utf8", strings.Repeat("a&", 10_001): "form_fields",
	} {
		if _, err := payload.ParseForm([]byte(content), nil); faultOf(t, err) != rule {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, seed := range formSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) { checkForm(t, content) })
}
