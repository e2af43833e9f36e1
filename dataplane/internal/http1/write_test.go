package http1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

func TestARequestLineStaysOneLineOfThreeParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, path, query, want string }{
		{"GET", "/a", "", "GET /a HTTP/1.1\r\n"},
		{"GET", "/a", "b=c?d", "GET /a?b=c?d HTTP/1.1\r\n"},
		{"GET", "", "", "GET / HTTP/1.1\r\n"},
		{"GET", "a", "", "GET /a HTTP/1.1\r\n"},
		{"GET", "/a b", "c d", "GET /a%20b?c%20d HTTP/1.1\r\n"},
		{"GET", "/a?b", "c#d", "GET /a%3Fb?c%23d HTTP/1.1\r\n"},
		{"GET", "/ HTTP/1.1\r\nX: y\r\n\r\n", "", "GET /%20HTTP/1.1%0D%0AX:%20y%0D%0A%0D%0A HTTP/1.1\r\n"},
		{"GET", "/\xe4\x00\x7f", "", "GET /%E4%00%7F HTTP/1.1\r\n"},
		{"G T\r\n", "/", "", "G_T__ / HTTP/1.1\r\n"},
		{"", "/", "", "_ / HTTP/1.1\r\n"},
	} {
		if got := http1.AppendRequestLine([]byte("before "), test.method, test.path, test.query); string(got) != "before "+test.want {
			t.Errorf("%q %q %q gives %q, want %q", test.method, test.path, test.query, got, test.want)
		}
	}
}

func TestAStatusLineHasThreeDigits(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "HTTP/1.1 200 OK\r\n", 299: "HTTP/1.1 299 \r\n", 101: "HTTP/1.1 101 Switching Protocols\r\n", 999: "HTTP/1.1 999 \r\n",
		0: "HTTP/1.1 500 Internal Server Error\r\n", -200: "HTTP/1.1 500 Internal Server Error\r\n", 2000: "HTTP/1.1 500 Internal Server Error\r\n",
	} {
		if got := string(http1.AppendStatusLine(nil, status)); got != want {
			t.Errorf("%d gives %q", status, got)
		}
	}
}

func TestAFieldThatWouldBeginAnotherIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, f := range []pipeline.Field{
		{Name: "", Value: "a"},
		{Name: "A B", Value: "a"},
		{Name: "A:", Value: "a"},
		{Name: "A\r\nB", Value: "a"},
		{Name: "\xe4", Value: "a"},
		{Name: "A\x00", Value: "a"},
		{Name: "A", Value: "a\r\nB: c"},
		{Name: "A", Value: "a\nB: c"},
		{Name: "A", Value: "a\rB: c"},
		{Name: "A", Value: "\x00"},
		{Name: "A", Value: "\x7f"},
		{Name: "A", Value: "0123456\n"},
	} {
		if got, ok := http1.AppendField([]byte("before"), f.Name, f.Value); ok || string(got) != "before" {
			t.Errorf("%q gives %q, %v", f, got, ok)
		}
		var header pipeline.Header
		header.Add("X", "1")
		header.Add(f.Name, f.Value)
		header.Add("Y", " 2\t")
		if got, ok := http1.AppendFields(nil, &header); ok || string(got) != "X: 1\r\nY: 2\r\n" {
			t.Errorf("among others %q gives %q, %v", f, got, ok)
		}
	}
}

// What ends a body is said once, by whoever writes it; whatever a policy or a service has put into the header.
func TestNoHeaderSaysWhereABodyEnds(t *testing.T) {
	t.Parallel()
	var header pipeline.Header
	for _, name := range []string{"Content-Length", "content-length", "Transfer-Encoding", "TRANSFER_ENCODING", "Content.Length", "Content|length"} {
		header.Add(name, "5")
	}
	header.Add("Content-Lengths", "5")
	if got, ok := http1.AppendFields(nil, &header); !ok || string(got) != "Content-Lengths: 5\r\n" {
		t.Errorf("got %q, %v", got, ok)
	}
	if got := string(http1.AppendChunked(http1.AppendLength(nil, 42))); got != "Content-Length: 42\r\nTransfer-Encoding: chunked\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestOnlyWhatMayTrailIsWrittenBehindABody(t *testing.T) {
	t.Parallel()
	var trailer pipeline.Header
	for _, name := range []string{"Content-Length", "transfer-encoding", "Transfer_Encoding", "Host", "AUTHORIZATION", "Set-Cookie", "if-none-match", "Trailer", "A\r\nB"} {
		trailer.Add(name, "x")
	}
	trailer.Add("Grpc-Status", "0")
	if got := string(http1.AppendLastChunk(nil, &trailer, nil)); got != "0\r\nGrpc-Status: 0\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	if got := string(http1.AppendLastChunk(nil, nil, nil)); got != "0\r\n\r\n" {
		t.Errorf("without trailers: %q", got)
	}
}

// What is written can be read: a request and an answer with everything that they can have.
func TestWhatIsWrittenIsReadAsItWasMeant(t *testing.T) {
	t.Parallel()
	var header, trailer pipeline.Header
	header.Add("Host", "a.example")
	header.Add("X", "\xe4 \t y")
	trailer.Add("T", "u")
	body := http1.AppendChunkSize(nil, 26)
	body = append(body, strings.Repeat("x", 26)+http1.ChunkEnd...)
	body = http1.AppendLastChunk(body, &trailer, nil)

	request := http1.AppendRequestLine(nil, "POST", "/a", "b")
	request, _ = http1.AppendFields(request, &header)
	request = append(http1.AppendEmptyLine(http1.AppendChunked(request)), body...)
	g, err := readRequest(reading(strings.NewReader(string(request)), 4096))
	if err != nil || g.request.Method != http.MethodPost || g.request.Target != "/a?b" || g.body != strings.Repeat("x", 26) || fields(&g.trailer) != "T: u" ||
		fields(&g.header) != "Host: a.example|X: \xe4 \t y|Transfer-Encoding: chunked" {
		t.Errorf("%q is read as %+v, %v", request, g, err)
	}

	answer := http1.AppendStatusLine(nil, 404)
	answer, _ = http1.AppendFields(answer, &header)
	answer = append(http1.AppendEmptyLine(http1.AppendLength(answer, 2)), "hi"...)
	g, err = readResponse(reading(strings.NewReader(string(answer)), 4096), false)
	if err != nil || g.response.Status != 404 || g.body != "hi" || g.header.Get("Content-Length") != "2" {
		t.Errorf("%q is read as %+v, %v", answer, g, err)
	}
}
