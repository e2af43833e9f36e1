package cors

import (
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func TestAnOriginIsWrittenAsBrowsersSendIt(t *testing.T) {
	for _, text := range []string{
		"https://app.example.com", "http://localhost:3000", "http://localhost", "https://192.0.2.7", "https://[2001:db8::7]:8443", "https://[::1]",
		"capacitor://localhost", "chrome-extension://abcdefghijklmnop", "https://xn--bcher-kva.example", "https://a_b.example.com",
	} {
		if o, err := ParseOrigin(text); err != nil || o.Wildcard() || o.Text != text {
			t.Errorf("%s: %+v, %v", text, o, err)
		}
	}
	for text, suffix := range map[string]string{
		"https://*.example.com": ".example.com", "http://*.example.com:8080": ".example.com:8080", "https://*.a.example.com": ".a.example.com",
	} {
		if o, err := ParseOrigin(text); err != nil || o.Suffix != suffix || o.Prefix+"*"+o.Suffix != text {
			t.Errorf("%s: %+v, %v", text, o, err)
		}
	}
}

func TestWhatNoBrowserSendsOrIsTooWideIsNoOrigin(t *testing.T) {
	for _, text := range []string{
		"", "*", "null", "app.example.com", "//app.example.com", "https://", "https:app.example.com", "https://app.example.com/", "https://app.example.com/x",
		"https://App.example.com", "HTTPS://app.example.com", "https://app.example.com:443", "http://app.example.com:80", "https://app.example.com:",
		"https://app.example.com:0", "https://app.example.com:08443", "https://app.example.com:+1", "https://app.example.com:99999", "https://app..example.com",
		"https://.example.com", "https://app.example.com.", "https://user@app.example.com", "https://app.example.com?x", "https://app.example.com#x",
		"https://bücher.example", "https://a b.example", "https://a\r\nb.example", "https://[2001:DB8::7]", "https://[::1%eth0]", "https://[::1", "https://::1",
		"https://*", "https://*.com", "https://*.*.example.com", "https://app.*.com", "https://*app.example.com", "*://app.example.com", "https://*.",
		"https://*.192.0.2.7", "https://*.[::1]", "https://*.localhost", "https://x*.example.com", "1https://app.example.com",
	} {
		if o, err := ParseOrigin(text); err == nil {
			t.Errorf("%q is read as %+v", text, o)
		}
	}
}

func TestValidateCopesWithAnythingTheRulesRefuse(t *testing.T) {
	for _, config := range []*policyv1.Cors{
		nil,
		{},
		{Origins: []string{""}, Methods: []string{"", ""}, Headers: []string{"", ""}},
		{Origins: []string{"*", "*"}, MaxAge: &durationpb.Duration{Seconds: -1 << 62}},
	} {
		if v := Kind.Validate(config); len(v) != 0 {
			t.Errorf("%v: %v", config, v)
		}
	}
}
