package waf_test

import (
	"runtime"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/waf"
)

// Whatever is sent, the engine says something of it, and findings hold no more than they may.
func FuzzNoRequestBreaksTheEngine(f *testing.F) {
	types := []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "text/plain", "image/png", ""}
	f.Add(uint8(0), "/", "a=b", "a=b", `{"a": [1, {"b": null}]}`)
	f.Add(uint8(1), "/%zz", "a=%zz&&=&a", ";;=;a", "a=%u0041&b=%")
	f.Add(uint8(2), "/a b", "", "=x", "--x\r\nContent-Disposition: form-data; name=\"a\"; filename*=utf-8''%41\r\n\r\nb\r\n--x--")
	f.Add(uint8(3), "//", "?", "\"", "<a b='c'>&amp;<![CDATA[x]]></a>")
	e := engine(f)
	f.Fuzz(func(t *testing.T, kind uint8, path, query, cookie, body string) {
		if len(path)+len(query)+len(cookie)+len(body) > 2000 {
			return
		}
		r := request{method: "POST", path: "/" + path, query: query, header: []string{"Cookie: " + cookie}, body: body, decoded: true}
		if media := types[int(kind)%len(types)]; media != "" {
			r.header = append(r.header, "Content-Type: "+media)
		}
		d := inspect(e, r)
		if d.Block && d.Denied == 0 && d.Score < d.Threshold || !d.Block && d.Score >= d.Threshold {
			t.Errorf("blocked %t with %d of %d, refused by %d", d.Block, d.Score, d.Threshold, d.Denied)
		}
		for _, found := range d.Findings {
			if found.Message == "" || len(found.Part) > 256 || len(waf.Mask(found.Part)) > 64 {
				t.Errorf("%+v", found)
			}
		}
	})
}

func TestWhatEnginesHoldIsTold(t *testing.T) {
	e := engine(t)
	for range 3 { // the heap's profile is of a collection before
		runtime.GC()
	}
	if bytes, known := waf.Memory(); !known || bytes < 1<<20 {
		t.Errorf("%d bytes, known %t", bytes, known)
	}
	runtime.KeepAlive(e)
}
