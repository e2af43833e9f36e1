package samples_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/samples"
)

func TestNoCredentialIsKept(t *testing.T) {
	t.Parallel()
	const credential = "Zm9vYmFyYmF6cXV4"
	key := "spk_prod_" + credential
	s := &samples.Sample{
		Path: "/keys/" + key + "/x", Query: "q=1&access_token=" + credential + "&plain=" + key + "%20", Body: []byte("password=" + credential + "&comment=' OR 1=1"),
		Header: []samples.Field{
			{Name: "authorization", Value: "Bearer " + credential},
			{Name: "Proxy-Authorization", Value: credential},
			{Name: "X-Api-Key", Value: credential},
			{Name: "Cookie", Value: "theme=dark; sid=short; tracking=" + credential + "; q=' OR 1=1 --"},
			{Name: "X-Note", Value: "take " + key + "!"},
			{Name: "Content-Type", Value: "application/x-www-form-urlencoded; charset=utf-8"},
			{Name: "User-Agent", Value: "curl/8"},
		},
	}
	samples.Bare(s)
	kept := s.Path + "\n" + s.Query + "\n" + string(s.Body)
	for _, f := range s.Header {
		kept += "\n" + f.Name + ": " + f.Value
	}
	if strings.Contains(kept, credential) || strings.Contains(kept, "short") {
		t.Errorf("kept is\n%s", kept)
	}
	for _, want := range []string{"/keys/", "q=1", "theme=dark", "q=' OR 1=1 --", "&comment=' OR 1=1", "User-Agent: curl/8", "take ", "%20"} {
		if !strings.Contains(kept, want) {
			t.Errorf("%q is gone of\n%s", want, kept)
		}
	}
}

func FuzzASamplesBytesAreReadWithinBounds(f *testing.F) {
	f.Add(samples.Append(&samples.Sample{Method: "GET", Path: "/", Header: []samples.Field{{Name: "A", Value: "b"}}}))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := samples.Parse(b)
		if err != nil {
			return
		}
		again, err := samples.Parse(samples.Append(&s))
		if err != nil || again.Path != s.Path || len(again.Header) != len(s.Header) {
			t.Errorf("%+v comes back as %+v, %v", s, again, err)
		}
	})
}
