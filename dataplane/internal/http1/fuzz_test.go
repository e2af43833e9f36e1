package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// inPortions reads as many bytes at a time as the portions say, again and again; all at once if there are none.
type inPortions struct {
	rest     []byte
	portions []byte
	at       int
}

func (p *inPortions) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := len(p.rest)
	if len(p.portions) > 0 {
		n = 1 + int(p.portions[p.at%len(p.portions)])
		p.at++
	}
	n = copy(b, p.rest[:min(n, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

// Whatever is taken for a request, net/http takes for the same: method, target, host, fields, body, trailers, and what is left behind it.
func FuzzRequestIsReadAsNetHTTPReadsIt(f *testing.F) {
	for _, wire := range seeds("POST / HTTP/1.1\r\nHost: a.example\r\n") {
		f.Add([]byte(wire), []byte{})
		f.Add([]byte(wire), []byte{0, 1, 7})
	}
	f.Add([]byte("\r\nGET http://A.example:80/x?y=z%20 HTTP/1.1\r\nhost: a.Example:80\r\nCookie: a=b;c\t\r\nConnection: close, x\r\n\r\nGET"), []byte{})
	f.Add([]byte("GET / HTTP/1.0\r\nConnection: keep-alive\r\nPragma: no-cache\r\n\r\n"), []byte{3})
	f.Fuzz(func(t *testing.T, wire, portions []byte) {
		src := &inPortions{rest: wire, portions: portions}
		r := reading(src, 64)
		g, err := readRequest(r)
		if err != nil {
			return
		}
		from := bufio.NewReaderSize(bytes.NewReader(bytes.TrimPrefix(wire, []byte("\r\n"))), 1<<16)
		theirs, err := http.ReadRequest(from)
		var ofURL *url.Error
		var ofEscape url.EscapeError
		if errors.As(err, &ofURL) || errors.As(err, &ofEscape) || err != nil && strings.Contains(err.Error(), "bad trailer key") {
			return // net/http also judges what URLs and Trailer say
		}
		if err != nil {
			t.Fatalf("net/http refuses: %v", err)
		}
		target := theirs.RequestURI
		if theirs.URL.Scheme != "" && target[0] != '/' && theirs.Method != http.MethodConnect {
			target = target[strings.Index(target, "://")+3:]
			target = target[strings.IndexAny(target+"/", "/?"):]
			if target == "" || target[0] == '?' {
				target = "/" + target
			}
		}
		if g.request.Method != theirs.Method || g.request.Target != target || g.request.Host != theirs.Host || int(g.request.Minor) != theirs.ProtoMinor {
			t.Fatalf("read as %+v; net/http reads %s %s %s %s", g.request, theirs.Method, target, theirs.Host, theirs.Proto)
		}
		body, err := io.ReadAll(theirs.Body)
		if err != nil {
			t.Fatalf("net/http refuses the body: %v", err)
		}
		sameMessage(t, &g, &g.request.Head, theirs.Header, string(body), theirs.Trailer, theirs.TransferEncoding, theirs.Close)
		sameRest(t, r, src, from)
	})
}

// The same of answers.
func FuzzResponseIsReadAsNetHTTPReadsIt(f *testing.F) {
	for _, wire := range seeds("HTTP/1.1 200 OK\r\n") {
		f.Add([]byte(wire), []byte{}, false)
		f.Add([]byte(wire), []byte{0, 1, 7}, true)
	}
	for _, line := range []string{"HTTP/1.0 200", "HTTP/1.1 204 No Content", "HTTP/1.1 304 ", "HTTP/1.1 101 x", "HTTP/1.1 103 y"} {
		f.Add([]byte(line+"\r\nContent-Length: 0\r\n\r\nabc"), []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, wire, portions []byte, toHead bool) {
		src := &inPortions{rest: wire, portions: portions}
		r := reading(src, 64)
		g, err := readResponse(r, toHead)
		if err != nil {
			return
		}
		request := &http.Request{Method: http.MethodGet}
		if toHead {
			request.Method = http.MethodHead
		}
		from := bufio.NewReaderSize(bytes.NewReader(wire), 1<<16)
		theirs, err := http.ReadResponse(from, request)
		if err != nil {
			if strings.Contains(err.Error(), "bad trailer key") {
				return
			}
			t.Fatalf("net/http refuses: %v", err)
		}
		defer theirs.Body.Close()
		if g.response.Status != theirs.StatusCode || int(g.response.Minor) != theirs.ProtoMinor {
			t.Fatalf("read as %+v; net/http reads %s %s", g.response, theirs.Proto, theirs.Status)
		}
		body, err := io.ReadAll(theirs.Body)
		if err != nil {
			t.Fatalf("net/http refuses the body: %v", err)
		}
		closes := theirs.Close || theirs.ContentLength < 0 && g.response.Framing == http1.UntilClose
		closes = closes || g.response.Status == http.StatusNoContent && g.response.Close // we are stricter
		sameMessage(t, &g, &g.response.Head, theirs.Header, string(body), theirs.Trailer, theirs.TransferEncoding, closes)
		sameRest(t, r, src, from)
	})
}

// seeds are messages with all kinds of bodies behind a head that begins so.
func seeds(begin string) []string {
	return []string{
		begin + "\r\n",
		begin + "Content-Length: 5\r\n\r\nhelloGET",
		begin + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET",
		begin + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nX:  z \r\n\r\n\r\n",
		begin + "Connection: Upgrade, close\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nX-Y: \t a \xe4 \r\n\r\n",
	}
}

// sameMessage compares what requests and answers have in common.
func sameMessage(t *testing.T, g *got, head *http1.Head, header http.Header, body string, trailer http.Header, coding []string, closes bool) {
	t.Helper()
	if head.Close != closes {
		t.Fatalf("Close is %v, with net/http %v", head.Close, closes)
	}
	if g.body != body {
		t.Fatalf("the body is %q, with net/http %q", g.body, body)
	}
	if (head.Framing == http1.Chunked) != slices.Equal(coding, []string{"chunked"}) && head.Framing != http1.None {
		t.Fatalf("framing %v, with net/http %v", head.Framing, coding)
	}
	ours := make(http.Header)
	for _, f := range g.header.Fields() {
		ours.Add(f.Name, f.Value)
	}
	// What net/http takes out of the header, or adds to it.
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer", "Content-Length", "Connection", "Cache-Control"} {
		ours.Del(name)
		header.Del(name)
	}
	same(t, "fields", ours, header)
	ours = make(http.Header)
	for _, f := range g.trailer.Fields() {
		ours.Add(f.Name, f.Value)
	}
	for name, values := range trailer {
		if len(values) == 0 {
			delete(trailer, name) // announced alone
		}
	}
	same(t, "trailers", ours, trailer)
}

func same(t *testing.T, what string, ours, theirs http.Header) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Fatalf("%s are %q, with net/http %q", what, ours, theirs)
	}
	for name, values := range ours {
		if !slices.Equal(values, theirs[name]) {
			t.Fatalf("%s %q are %q, with net/http %q", what, name, values, theirs[name])
		}
	}
}

// sameRest compares what is left behind a message.
func sameRest(t *testing.T, r *http1.Reader, src *inPortions, from *bufio.Reader) {
	t.Helper()
	theirs, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	if ours := r.Buffered() + len(src.rest); ours != len(theirs) {
		t.Fatalf("%d bytes are left behind the message, with net/http %d", ours, len(theirs))
	}
}

// A body that is written in whatever chunks, with whatever trailers, is read as it was, in whatever portions it comes; and nothing of what is
// behind it.
func FuzzChunkedBodyIsReadAsItWasWritten(f *testing.F) {
	f.Add([]byte("hello"), []byte{1, 2}, []byte{0}, "Grpc-Status", "0", uint16(1))
	f.Add([]byte(""), []byte{}, []byte{}, "", "", uint16(5000))
	f.Add(bytes.Repeat([]byte("0123456789"), 60), []byte{255, 3}, []byte{200, 1}, "X", strings.Repeat("y", 300), uint16(4096))
	f.Fuzz(func(t *testing.T, data, sizes, portions []byte, name, value string, portion uint16) {
		var trailer pipeline.Header
		trailer.Add(name, value)
		wire := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		for at, i := 0, 0; at < len(data); i++ {
			size := len(data) - at
			if len(sizes) > 0 {
				size = min(size, 1+int(sizes[i%len(sizes)]))
			}
			wire = http1.AppendChunkSize(wire, size)
			wire = append(append(wire, data[at:at+size]...), http1.ChunkEnd...)
			at += size
		}
		wire = http1.AppendLastChunk(wire, &trailer, nil)
		if len(value)+len(name) > 8000 {
			return // longer than trailers may be
		}
		const next = "GET /next HTTP/1.1\r\n"
		src := &inPortions{rest: append(wire, next...), portions: portions}
		r := reading(src, 64)
		head, err := r.ReadHead(limits())
		if err != nil {
			t.Fatal(err)
		}
		var request http1.Request
		var header, trailed pipeline.Header
		if err := request.Parse(head, limits(), &header); err != nil {
			t.Fatal(err)
		}
		var read []byte
		body := r.Body(&request.Head, &trailed)
		for p := make([]byte, 1+int(portion)); ; {
			n, err := body.Read(p)
			read = append(read, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(read, data) {
			t.Fatalf("%d bytes were written, other %d read", len(data), len(read))
		}
		if r.Buffered()+len(src.rest) != len(next) {
			t.Fatalf("%d bytes are left, want %d", r.Buffered()+len(src.rest), len(next))
		}
		for _, f := range trailed.Fields() {
			if f.Name != name || f.Value != strings.Trim(value, " \t") {
				t.Fatalf("the trailer %q: %q is read as %q", name, value, f)
			}
		}
	})
}

// Whatever bytes follow a head as a chunked body: what is read of them doesn't depend on how they come.
func FuzzChunkedBodyIsTheSameInAnyPortions(f *testing.F) {
	for _, body := range []string{"5\r\nhello\r\n0\r\n\r\n", "0\r\nX: y\r\n\r\n", "5;\r\n", "5\n", "1\r\nxy", "0\r\n\r", "0\r\nX: y\n\r\n", "ffffffffffffffff\r\n"} {
		f.Add([]byte(body), []byte{0, 3})
	}
	f.Fuzz(func(t *testing.T, body, portions []byte) {
		wire := append([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), body...)
		whole, wholeErr := readRequest(reading(&inPortions{rest: wire}, 4096))
		parts, err := readRequest(reading(&inPortions{rest: wire, portions: portions}, 64))
		if whole.body != parts.body || fields(&whole.trailer) != fields(&parts.trailer) || (err == nil) != (wholeErr == nil) || status(err) != status(wholeErr) {
			t.Fatalf("whole: %q, %q, %v\nin parts: %q, %q, %v", whole.body, fields(&whole.trailer), wholeErr, parts.body, fields(&parts.trailer), err)
		}
	})
}

// An authority that is taken has one spelling: it is its own authority, and net/url finds the same host.
func FuzzAuthorityHasOneSpelling(f *testing.F) {
	for _, host := range []string{"a", "A.b.:80", "[::1]:1", "[::ffff:1.2.3.4]", "1.2.3.4", "a_b-c:", "a..b", "[::1%25a]", "x@y"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, ok := http1.Authority(host)
		if !ok {
			return
		}
		again := name
		if strings.Contains(name, ":") {
			again = "[" + name + "]"
		}
		if twice, ok := http1.Authority(again); !ok || twice != name {
			t.Fatalf("%q is %q, which is %q, %v", host, name, twice, ok)
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", host, err)
		}
		theirs := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if address, err := netip.ParseAddr(theirs); err == nil {
			theirs = address.String()
		}
		if theirs != name {
			t.Fatalf("%q is %q, with net/url %q", host, name, theirs)
		}
	})
}

// Whatever is to be written, what comes out is one head with the fields that could be written, in order, and nothing else.
func FuzzNothingThatIsWrittenBeginsAnotherMessage(f *testing.F) {
	f.Add("GET", "/a", "b", "X", "y", "Z", "w")
	f.Add("G ET", "a\r\n", "\x00#", "Content_Length", "5", "A\r\nB", "c\r\n\r\nGET / HTTP/1.1")
	f.Add("", "", "", "", "", " ", "\t")
	f.Fuzz(func(t *testing.T, method, path, query, name1, value1, name2, value2 string) {
		var header pipeline.Header
		header.Add(name1, value1)
		header.Add(name2, value2)
		wire := http1.AppendRequestLine(nil, method, path, query)
		wire, _ = http1.AppendFields(wire, &header)
		wire = http1.AppendEmptyLine(wire)

		bounds := &http1.Limits{StartLine: len(wire), Head: len(wire), Fields: 2}
		r := reading(bytes.NewReader(wire), 64)
		head, err := r.ReadHead(bounds)
		if err != nil || len(head) != len(wire) {
			t.Fatalf("%q is no head: %v", wire, err)
		}
		// What an answer notes is what any message has; a request would be judged by its meaning too.
		answer := append([]byte("HTTP/1.1 200 OK\r\n"), head[bytes.IndexByte(head, '\n')+1:]...)
		bounds = &http1.Limits{StartLine: len(answer), Head: len(answer), Fields: 2}
		var response http1.Response
		var read pipeline.Header
		if err := response.Parse(answer, false, bounds, &read); err != nil {
			t.Fatalf("%q can't be read: %v", answer, err)
		}
		if response.Framing != http1.UntilClose {
			t.Fatalf("%q says where the body ends", wire)
		}
		var want []string
		for _, f := range header.Fields() {
			if line, ok := http1.AppendField(nil, f.Name, f.Value); ok && len(line) > 0 {
				var alone pipeline.Header
				alone.Add(f.Name, f.Value)
				if line, _ := http1.AppendFields(nil, &alone); len(line) > 0 {
					want = append(want, f.Name+": "+strings.Trim(f.Value, " \t"))
				}
			}
		}
		if fields(&read) != strings.Join(want, "|") {
			t.Fatalf("%q was read, want %q", fields(&read), want)
		}
		line, _, _ := bytes.Cut(wire, []byte("\r\n"))
		if parts := bytes.Split(line, []byte(" ")); len(parts) != 3 || string(parts[2]) != "HTTP/1.1" || len(parts[0]) == 0 || parts[1][0] != '/' {
			t.Fatalf("the first line is %q", line)
		}
	})
}
