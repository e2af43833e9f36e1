package payload_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
)

const boundary = "x-Yz"

// form returns a multipart body of parts, each with its fields and content.
func multipartOf(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--" + boundary + "\r\n" + part + "\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

const (
	field = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1"
	file  = "Content-Disposition: form-data; name=\"f\"; filename=\"ü.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\xff\r\n--x-Y"
)

var multipartRules = map[string]string{ // "": taken
	multipartOf(field): "", multipartOf(field, file): "", multipartOf(file, field, field): "",
	strings.TrimSuffix(multipartOf(field), "\r\n"):                                                                              "",
	multipartOf("content-disposition: FORM-DATA;name=a\r\n\r\n"):                                                                "",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"\"\r\n" + "Content-Type: application/octet-stream\r\n\r\n"): "",
	multipartOf("X-Other: 1\r\n" + field):                                                                                       "", multipartOf("Content-Transfer-Encoding: binary\r\n" + field): "",
	multipartOf(strings.Replace(field, "1", "x--x-Yz--y", 1)): "",

	"":                                     "multipart_preamble",
	"\r\n" + multipartOf(field):            "multipart_preamble",
	"preamble\r\n" + multipartOf(field):    "multipart_preamble",
	multipartOf(field) + "epilogue":        "multipart_epilogue",
	multipartOf(field) + "\r\n":            "multipart_epilogue",
	"--x-Yz--\r\n":                         "multipart_empty",
	"--x-Yz\r\n" + field:                   "multipart_truncated",
	"--x-Yz\r\n" + field + "\r\n--x-Yz":    "multipart_boundary",
	"--x-Yz\r\n" + field + "\r\n--x-Yz-":   "multipart_boundary",
	"--x-Yz\n" + field + "\r\n--x-Yz--":    "multipart_boundary",
	"--x-Yz \r\n" + field + "\r\n--x-Yz--": "multipart_boundary",
	strings.ReplaceAll(multipartOf(field, field), "\r\n", "\n"):                                           "multipart_boundary",
	multipartOf(field + "\n--x-Yz\nContent-Disposition: form-data; name=evil\n\n1"):                       "multipart_boundary",
	multipartOf(field + "\r--x-Yz\r\nContent-Disposition: form-data; name=evil\r\n\r\n1"):                 "multipart_boundary",
	multipartOf(field + "\r\n--x-Yz \r\nContent-Disposition: form-data; name=evil\r\n\r\n"):               "multipart_boundary",
	multipartOf(field + "\r\n--x-Yzz"):                                                                    "multipart_boundary",
	multipartOf(""):                                                                                       "multipart_header",
	multipartOf("\r\nno fields"):                                                                          "multipart_header",
	multipartOf("Content-Disposition: form-data; name=a"):                                                 "multipart_header",
	multipartOf("Content-Disposition: form-data;\r\n name=a\r\n\r\n1"):                                    "multipart_disposition",
	multipartOf("X: 1\r\n\tfolded\r\n" + field):                                                           "multipart_header",
	multipartOf(" Content-Disposition: form-data; name=a\r\n\r\n1"):                                       "multipart_header",
	multipartOf("Content-Disposition : form-data; name=a\r\n\r\n1"):                                       "multipart_header",
	multipartOf("Content-Type: text/plain\r\n\r\n1"):                                                      "multipart_header",
	multipartOf("Content-Disposition: form-data; name=b\r\n" + field):                                     "multipart_header",
	multipartOf("X: \x00\r\n" + field):                                                                    "multipart_header",
	multipartOf("X: a\nContent-Disposition: form-data; name=evil\r\n" + field):                            "multipart_header",
	multipartOf("X: \xff\r\n" + field):                                                                    "multipart_header",
	multipartOf("X: " + strings.Repeat("a", 9000) + "\r\n" + field):                                       "multipart_header",
	multipartOf("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\nG: 1\r\nH: 1\r\nI: 1\r\n" + field):       "multipart_header",
	multipartOf("Content-Disposition: attachment; name=a\r\n\r\n"):                                        "multipart_disposition",
	multipartOf("Content-Disposition: form-data\r\n\r\n"):                                                 "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=\"\"\r\n\r\n"):                                      "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; name=b\r\n\r\n"):                                 "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=a.txt; filename=a.php\r\n\r\n"):         "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=a.txt; filename*=UTF-8''a.php\r\n\r\n"): "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename*0=a; filename*1=.php\r\n\r\n"):          "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"a\\\".php\"\r\n\r\n"):                 "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"a.php\r\n\r\n"):                       "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"=?utf-8?B?YS5waHA=?=\"\r\n\r\n"):      "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; size=1\r\n\r\n"):                                 "multipart_disposition",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"../a.php\"\r\n\r\n"):                  "multipart_filename",
	multipartOf("Content-Disposition: form-data; name=a; filename=\"..\\a.php\"\r\n\r\n"):                 "multipart_disposition",
	multipartOf("Content-Type: nothing\r\n" + field):                                                      "multipart_type",
	multipartOf("Content-Type: multipart/mixed; boundary=y\r\n" + field):                                  "multipart_nested",
	multipartOf("Content-Type: text/plain; charset=utf-7\r\n" + field):                                    "multipart_charset",
	multipartOf("Content-Disposition: form-data; name=_charset_\r\n\r\niso-8859-1"):                       "multipart_charset",
	multipartOf("Content-Transfer-Encoding: base64\r\n" + field):                                          "multipart_transfer",
	multipartOf(field + "\xff"):                                                                           "multipart_utf8",
}

func TestMultipartThatParsersReadDifferentlyIsRefused(t *testing.T) {
	t.Parallel()
	for content, rule := range multipartRules {
		if _, err := payload.ParseMultipart([]byte(content), boundary, nil); faultOf(t, err) != rule {
			t.Errorf("%q: %v, want %q", content, err, rule)
		}
		checkMultipart(t, []byte(content), boundary)
	}
	if _, err := payload.ParseMultipart([]byte(strings.Repeat("--x-Yz\r\n", 10_003)), boundary, nil); faultOf(t, err) != "multipart_parts" {
		t.Errorf("parts without end: %v", err)
	}
	for _, text := range []string{
		"multipart/form-data", "multipart/form-data; boundary=\"a\xc3\xa9\"", `multipart/form-data; boundary="a "`, `multipart/form-data; boundary=""`, "multipart/form-data; boundary=" + strings.Repeat("a", 71),
		"multipart/form-data; boundary=a; charset=utf-8", `multipart/form-data; boundary="a;b"`,
	} {
		if media, err := payload.ParseMediaType(text); err == nil {
			if _, err := media.Boundary(); faultOf(t, err) != "multipart_boundary" {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// checkMultipart holds the parser against mime/multipart: what is taken reads alike.
func checkMultipart(t testing.TB, content []byte, boundary string) {
	t.Helper()
	parts, err := payload.ParseMultipart(content, boundary, nil)
	if err != nil {
		faultOf(t, err)
		return
	}
	reader := multipart.NewReader(bytes.NewReader(content), boundary)
	for i := 0; ; i++ {
		want, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			if i != len(parts) {
				t.Fatalf("%q has %d parts, by the reference %d", content, len(parts), i)
			}
			return
		}
		if err != nil || i == len(parts) {
			t.Fatalf("%q is taken with %d parts; the reference says of the next one %v", content, len(parts), err)
		}
		text, err := io.ReadAll(want)
		if err != nil || !bytes.Equal(text, parts[i].Content) {
			t.Fatalf("%q: part %d is %q, to the reference %q, %v", content, i, parts[i].Content, text, err)
		}
		filename := parts[i].Filename
		if filename != "" {
			filename = filepath.Base(filename)
		}
		if want.FormName() != parts[i].Name || want.FileName() != filename {
			t.Fatalf("%q: part %d is %q, %q, to the reference %q, %q", content, i, parts[i].Name, filename, want.FormName(), want.FileName())
		}
	}
}

func FuzzMultipart(f *testing.F) {
	for content := range multipartRules {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) { checkMultipart(t, content, boundary) })
}
