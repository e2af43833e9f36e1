package conformance

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// memoryCap is what the edge under attack may take of the machine's memory at any time, and how it is run to keep to that.
const (
	memoryCap   = 256 << 20
	goMemory    = "GOMEMLIMIT=160MiB"
	bodyMemory  = "48MiB"
	floods      = 24 // of the dearest bodies, at a time
	floodRounds = 3
)

// lie is a body that isn't what it says, and the code that it is refused with.
type lie struct {
	name, path, media, coding, body, code string
	dear                                  bool // it is sent again and again, by many
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func brotlied(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: 5, LGWin: 24})
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// lies are what the literature knows of bodies that overload parsers, or that parsers read differently.
func lies(t testing.TB) []lie {
	t.Helper()
	const (
		guard, content       = "/guard", "/content"
		isJSON, isXML        = "application/json", "application/xml"
		form                 = "multipart/form-data; boundary=b"
		refused              = "body_refused"
		field                = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
		jsonRefused, type415 = "json_refused", "unsupported_media_type"
	)
	zeros := make([]byte, 64<<20)
	bomb, brBomb := string(gzipped(t, zeros)), string(brotlied(t, zeros))
	var keys strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, `"k%d":0,`, i)
	}
	part := func(fields string) string { return "--b\r\n" + fields + "--b--\r\n" }
	return []lie{
		{name: "a bomb of gzip", path: content, media: isJSON, coding: "gzip", body: bomb, code: "body_too_large", dear: true},
		{name: "a bomb of gzip by its ratio", path: guard, media: isJSON, coding: "gzip", body: bomb, code: refused, dear: true},
		{name: "a bomb of br by its ratio", path: content, media: isJSON, coding: "br", body: brBomb, code: refused, dear: true},
		{name: "a bomb in a bomb", path: content, media: isJSON, coding: "gzip, gzip", body: string(gzipped(t, []byte(bomb))), code: refused, dear: true},
		{name: "too many codings", path: guard, media: isJSON, coding: "gzip, gzip, gzip", body: bomb, code: refused},
		{name: "an unknown coding", path: content, media: isJSON, coding: "zstd", body: "x", code: type415},
		{name: "a coding that isn't there", path: guard, media: isJSON, coding: "gzip", body: "{}", code: refused},
		{name: "a truncated coding", path: guard, media: isJSON, coding: "gzip", body: bomb[:100], code: refused},
		{name: "a second member", path: guard, media: isJSON, coding: "gzip", body: strings.Repeat(string(gzipped(t, []byte("{}"))), 2), code: refused},

		{name: "JSON without a bottom", path: guard, media: isJSON, body: strings.Repeat("[", 4<<20), code: jsonRefused, dear: true},
		{name: "objects without a bottom", path: guard, media: isJSON, body: strings.Repeat(`{"a":`, 500_000), code: jsonRefused, dear: true},
		{name: "more values than any", path: guard, media: isJSON, body: "[" + strings.Repeat("0,", 2<<20) + "0]", code: jsonRefused, dear: true},
		{name: "many keys", path: guard, media: isJSON, body: "{" + keys.String() + `"k0":1}`, code: jsonRefused, dear: true},
		{name: "a key twice", path: guard, media: isJSON, body: `{"a":1,"a":2}`, code: jsonRefused},
		{name: "a key twice by an escape", path: guard, media: isJSON, body: `{"a":1,"\u0061":2}`, code: jsonRefused},
		{name: "__proto__", path: guard, media: isJSON, body: `{"__proto__":{"admin":true}}`, code: jsonRefused},
		{name: "a number that is rounded", path: guard, media: isJSON, body: `[9007199254740993]`, code: jsonRefused},
		{name: "a number of many digits", path: guard, media: isJSON, body: "[" + strings.Repeat("9", 4<<20) + "e9]", code: jsonRefused, dear: true},
		{name: "an endless exponent", path: guard, media: isJSON, body: `[1e1000000000]`, code: jsonRefused},
		{name: "invalid UTF-8", path: guard, media: isJSON, body: "[\"\xc0\xaf\"]", code: jsonRefused},
		{name: "half a surrogate pair", path: guard, media: isJSON, body: `["\ud800"]`, code: jsonRefused},
		{name: "UTF-16", path: guard, media: isJSON, body: "\xff\xfe{\x00}\x00", code: jsonRefused},
		{name: "UTF-16 by its charset", path: guard, media: isJSON + "; charset=utf-16", body: "{}", code: jsonRefused},
		{name: "a byte order mark", path: guard, media: isJSON, body: "\xef\xbb\xbf{}", code: jsonRefused},
		{name: "truncated JSON", path: guard, media: isJSON, body: `{"a":[1,2`, code: jsonRefused},
		{name: "two values", path: guard, media: isJSON, body: `{}{}`, code: jsonRefused},
		{name: "comments", path: guard, media: isJSON, body: `{/**/}`, code: jsonRefused},
		{name: "JSON that is called text", path: content, media: "text/json", body: "{", code: refused},

		{name: "a billion laughs", path: content, media: isXML, body: `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><l>&b;</l>`, code: refused},
		{name: "an external entity", path: content, media: isXML, body: `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, code: refused},
		{name: "an external document type", path: content, media: isXML, body: `<!DOCTYPE a SYSTEM "http://evil.test/x.dtd"><a/>`, code: refused},
		{name: "XInclude", path: content, media: isXML, body: `<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/></a>`, code: refused},
		{name: "a stylesheet", path: content, media: isXML, body: `<?xml-stylesheet href="http://evil.test/x.xsl"?><a/>`, code: refused},
		{name: "XML without a bottom", path: content, media: isXML, body: strings.Repeat("<a>", 1<<20), code: refused, dear: true},
		{name: "attributes without end", path: content, media: isXML, body: "<a " + strings.Repeat(`b="" `, 800_000) + "/>", code: refused, dear: true},
		{name: "XML in UTF-16", path: content, media: isXML, body: "\xff\xfe<\x00a\x00/\x00>\x00", code: refused},
		{name: "XML in UTF-7", path: content, media: isXML, body: `<?xml version="1.0" encoding="UTF-7"?><a/>`, code: refused},
		{name: "truncated XML", path: content, media: isXML, body: `<a><b>`, code: refused},

		{name: "a form's broken escape", path: content, media: "application/x-www-form-urlencoded", body: "a=%zz", code: refused},
		{name: "a form of many fields", path: content, media: "application/x-www-form-urlencoded", body: strings.Repeat("a&", 2<<20), code: refused, dear: true},
		{name: "a form in another charset", path: content, media: "application/x-www-form-urlencoded; charset=utf-7", body: "a=1", code: refused},
		{name: "a form with semicolons", path: content, media: "application/x-www-form-urlencoded", body: "a=1;b=2", code: refused},

		{name: "no boundary", path: content, media: "multipart/form-data", body: part(field), code: refused},
		{name: "two boundaries", path: content, media: form + "; boundary=c", body: part(field), code: type415},
		{name: "a preamble", path: content, media: form, body: "--c\r\n" + field + part(field), code: refused},
		{name: "an epilogue", path: content, media: form, body: part(field) + part(field), code: refused},
		{name: "no last boundary", path: content, media: form, body: "--b\r\n" + field, code: refused},
		{name: "lines that end in LF", path: content, media: form, body: strings.ReplaceAll(part(field), "\r\n", "\n"), code: refused},
		{name: "a boundary behind LF", path: content, media: form, body: part("Content-Disposition: form-data; name=a\r\n\r\n\n--b\nX: 1\n\n\r\n"), code: refused},
		{name: "two file names", path: content, media: form, body: part("Content-Disposition: form-data; name=a; filename=a.png; filename=a.php\r\n\r\n\r\n"), code: refused},
		{name: "filename and filename*", path: content, media: form, body: part("Content-Disposition: form-data; name=a; filename=a.png; filename*=UTF-8''a.php\r\n\r\n\r\n"), code: refused},
		{name: "a folded field", path: content, media: form, body: part("X: 1\r\n 2\r\n" + field), code: refused},
		{name: "multipart in multipart", path: content, media: form, body: part("Content-Type: multipart/mixed; boundary=c\r\n" + field), code: refused},
		{name: "a transfer encoding", path: content, media: form, body: part("Content-Transfer-Encoding: base64\r\n" + field), code: refused},
		{name: "parts without end", path: content, media: form, body: strings.Repeat("--b\r\n"+field, 80_000), code: refused, dear: true},

		{name: "a picture that is none", path: content, media: "image/png", body: "<?php", code: refused},
		{name: "two charsets", path: content, media: "text/plain; charset=utf-8; charset=utf-7", body: "x", code: type415},
	}
}

// TestBodiesThatLieAreRefusedInLittleMemory sends each lie with its length and in chunks, then the dearest ones all at once: whatever is refused is refused with
// the right code, or since the node has no room for it now; and at no time takes the edge more memory than it may.
func TestBodiesThatLieAreRefusedInLittleMemory(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0, harness.Loopback)
	edge, err := s.Environment.LaunchEdge(t.Context(), harness.Launch{Env: []string{goMemory}, Args: []string{"--body-memory", bodyMemory, "--access-log=false"}})
	if err == nil {
		err = s.Environment.AwaitConnected(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	const most = 8 << 20
	for path, policy := range map[string]sallyport.Policy{
		"/guard":   {Kind: "json-guard", Config: map[string]any{"max_bytes": most, "max_text_bytes": most, "max_values": 1_000_000, "max_entries": 1_000_000, "max_keys": 1_000_000}},
		"/content": {Kind: "content", Config: map[string]any{"max_bytes": most, "max_ratio": 1000}},
	} {
		name := s.Name(path[1:])
		s.Route(sallyport.Route{Name: name, Service: service.Name, Paths: harness.Below(path), Public: true})
		policy.Name, policy.AttachedTo = name, []sallyport.Attachment{{Route: name}}
		s.Policy(policy)
	}
	all := lies(t)
	pid := edge.PID()
	clean := func() {
		t.Helper()
		answer, err := edge.Do(t.Context(), harness.Request{Method: "POST", Host: s.Host, Path: "/guard", Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"a":1}`})
		if err != nil || answer.Status != http.StatusOK {
			t.Errorf("an honest body is answered %s, %v", answer, err)
		}
	}
	clean()
	for i := range all {
		for _, chunked := range []bool{false, true} {
			if answer, err := all[i].send(t, edge, s.Host, chunked); err != nil || answer.Code() != all[i].code {
				t.Errorf("%s (in chunks: %t) is answered %s, %v; want %s", all[i].name, chunked, answer, err, all[i].code)
			}
		}
	}
	flood(t, edge, s.Host, all)
	clean()
	if got := len(upstream.Requests()); got != 2 {
		t.Errorf("%d requests reached the service; two were honest", got)
	}
	if edge.PID() != pid {
		t.Error("the edge has died")
	}
	if peak := peakMemory(t, pid); peak > memoryCap {
		t.Errorf("it took %d MiB at its worst", peak>>20)
	} else {
		t.Logf("it took %d MiB at its worst", peak>>20)
	}
	if used := s.Metrics(edge).Sum("sallyport_edge_body_memory_bytes"); used != 0 {
		t.Errorf("%v bytes of bodies are still counted", used)
	}
}

// send sends the lie over a connection of its own: the edge may refuse it before it is there whole.
func (l *lie) send(t testing.TB, edge *harness.Edge, host string, chunked bool) (harness.Response, error) {
	t.Helper()
	head := "POST " + l.path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: " + l.media + "\r\n"
	if l.coding != "" {
		head += "Content-Encoding: " + l.coding + "\r\n"
	}
	if chunked {
		return edge.DoRaw(t.Context(), head+"Transfer-Encoding: chunked\r\n\r\n"+strconv.FormatInt(int64(len(l.body)), 16)+"\r\n"+l.body+"\r\n0\r\n\r\n")
	}
	return edge.DoRaw(t.Context(), head+"Content-Length: "+strconv.Itoa(len(l.body))+"\r\n\r\n"+l.body)
}

// flood sends the dearest lies from many clients at once.
func flood(t *testing.T, edge *harness.Edge, host string, all []lie) {
	t.Helper()
	var dear []*lie
	for i := range all {
		if all[i].dear {
			dear = append(dear, &all[i])
		}
	}
	var clients sync.WaitGroup
	for n := range floods {
		clients.Go(func() {
			for round := range floodRounds {
				l := dear[(n+round*floods)%len(dear)]
				answer, err := l.send(t, edge, host, n%2 == 0)
				if code := answer.Code(); err == nil && code != l.code && code != "node_busy" {
					t.Errorf("in the flood %s is answered %s", l.name, answer)
				}
			}
		})
	}
	clients.Wait()
}

// peakMemory returns how much of the machine's memory a process took at its worst.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the kernel doesn't tell")
	return 0
}

// TestASlowOrBrokenBodyHoldsNoMemory shows that what falls silent, or breaks off, in the middle of a body that is to be looked at is given up.
func TestASlowOrBrokenBodyHoldsNoMemory(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	edge, upstream := s.Edges()[0], harness.NewUpstream(t, nil)
	name := s.Name("slow")
	s.Route(sallyport.Route{Name: name, Service: s.Service("service", upstream.Address).Name, Paths: harness.Below("/"), Public: true})
	s.Policy(sallyport.Policy{Name: name, Kind: "json-guard", Config: map[string]any{}, AttachedTo: []sallyport.Attachment{{Route: name}}})
	var waiting []*harness.Wire
	for _, framing := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		request := "POST / HTTP/1.1\r\nHost: " + s.Host + "\r\nContent-Type: application/json\r\n" + framing + "\r\n\r\n3e8\r\n[1,"
		silent, broken := edge.Wire(t), edge.Wire(t)
		if err := errors.Join(silent.Say(request), broken.Say(request), broken.Close()); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, silent)
	}
	for _, silent := range waiting {
		if answer, err := silent.Answer("POST"); err != nil || answer.Code() != "request_timeout" || answer.Status != http.StatusRequestTimeout {
			t.Errorf("who falls silent is answered %s, %v", answer, err)
		}
	}
	if got := upstream.Connections(); got != 0 {
		t.Errorf("the service was connected to %d times", got)
	}
	harness.Eventually(t, patience, func() error {
		if used := s.Metrics(edge).Sum("sallyport_edge_body_memory_bytes"); used != 0 {
			return fmt.Errorf("%v bytes of bodies are still counted", used)
		}
		return nil
	})
}
