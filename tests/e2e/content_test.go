package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Only what is what it says it is reaches the service.
func TestABodyIsWhatItsContentTypeSays(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	inspected(s, "content", sallyport.PolicyModeEnforce, upstream, map[string]any{
		"max_bytes": 10_000, "multipart": map[string]any{"max_files": 1, "extensions": []any{"png"}},
	})
	const (
		field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
		file  = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
		form  = "multipart/form-data; boundary=b"
		ok    = ""
	)
	passed := 0
	for _, tt := range []struct{ media, body, code string }{
		{"application/json", `{"a":1}`, ok},
		{"application/xml", `<a b="1"/>`, ok},
		{"application/x-www-form-urlencoded", "a=1&b=2", ok},
		{form, field + file + "\x89PNG\r\n\x1a\n...\r\n--b--\r\n", ok},
		{"application/json", `<a/>`, "body_refused"},
		{"application/xml", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, "body_refused"},
		{"application/x-www-form-urlencoded", "a=%zz", "body_refused"},
		{form, file + "<?php\r\n--b--\r\n", "body_refused"},
		{form, field + "--b", "body_refused"},
		{form, "--b\nContent-Disposition: form-data; name=a\n\n1\n--b--\n", "body_refused"},
		{"image/png", "GIF89a", "body_refused"},
		{"application/x-unheard-of", "x", "unsupported_media_type"},
		{"text/plain; charset=utf-8; charset=utf-7", "x", "unsupported_media_type"},
	} {
		answer, err := s.Edges()[0].Do(t.Context(), harness.Request{Method: "POST", Host: s.Host, Path: "/", Header: mediaHeader(tt.media), Body: tt.body})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Code() != tt.code || (answer.Status == http.StatusOK) != (tt.code == ok) {
			t.Errorf("%q as %s is answered %s", tt.body, tt.media, answer)
		}
		if tt.code == ok {
			passed++
		}
	}
	if got := len(upstream.Requests()); got != passed {
		t.Errorf("%d requests reached the service, %d were to", got, passed)
	}
}
