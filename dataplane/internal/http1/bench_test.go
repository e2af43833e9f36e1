package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Heads as they come: of a program that calls an API, and of a browser.
const (
	smallHead = "GET /v1/orders?limit=10 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: orders/1.4\r\nAccept: application/json\r\n" +
		"X-Api-Key: sp_live_0123456789abcdef0123456789abcdef\r\n\r\n"
	tenFieldHead = "POST /v1/orders HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\n" +
		"Accept: application/json\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" +
		"X-Api-Key: sp_live_0123456789abcdef0123456789abcdef\r\nX-Correlation-Id: 7f3c2a9e-42d1-4c60\r\nCache-Control: no-cache\r\n\r\n"
	browserHead = "GET /shop/category/shoes?sort=price&page=2 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"130\", \"Google Chrome\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n" +
		"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nReferer: https://www.example.com/shop\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all; _ga=GA1.2.1234567890.1234567890\r\n\r\n"
	answerHead = "HTTP/1.1 200 OK\r\nServer: nginx/1.27.2\r\nDate: Sun, 22 Nov 2026 08:49:37 GMT\r\nContent-Type: application/json; charset=utf-8\r\n" +
		"Content-Length: 1234\r\nConnection: keep-alive\r\nCache-Control: private, max-age=0\r\nEtag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\nVary: Accept-Encoding\r\n\r\n"
)

// endless reads the same bytes again and again.
type endless struct {
	wire string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.wire[e.at:])
	e.at = (e.at + n) % len(e.wire)
	return n, nil
}

var benchLimits = &http1.Limits{StartLine: 8 << 10, Head: 64 << 10, Fields: 100}

func benchRequest(b *testing.B, wire string) {
	b.Helper()
	var r http1.Reader
	r.Attach(&endless{wire: wire}, make([]byte, len(wire)+4<<10)[:len(wire)])
	var request http1.Request
	var header pipeline.Header
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		head, err := r.ReadHead(benchLimits)
		if err != nil {
			b.Fatal(err)
		}
		header.Reset()
		if err := request.Parse(head, benchLimits, &header); err != nil {
			b.Fatal(err)
		}
		if request.Framing != http1.None {
			body := r.Body(&request.Head, nil)
			body.Discard(len(body.Front()))
			if !body.AtEnd() {
				_, _ = body.Read(make([]byte, 2))
			}
		}
		r.Release()
	}
}

func BenchmarkRequestSmall(b *testing.B)     { benchRequest(b, smallHead) }
func BenchmarkRequestTenFields(b *testing.B) { benchRequest(b, tenFieldHead+"{}") }
func BenchmarkRequestBrowser(b *testing.B)   { benchRequest(b, browserHead) }

func BenchmarkParseTenFields(b *testing.B) {
	head := []byte(tenFieldHead)
	var request http1.Request
	var header pipeline.Header
	b.ReportAllocs()
	for b.Loop() {
		header.Reset()
		if err := request.Parse(head, benchLimits, &header); err != nil {
			b.Fatal(err)
		}
	}
}

// The measure: what net/http takes for the same.
func BenchmarkNetHTTPTenFields(b *testing.B) {
	from := bufio.NewReader(&endless{wire: tenFieldHead + "{}"})
	b.ReportAllocs()
	for b.Loop() {
		request, err := http.ReadRequest(from)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	body := strings.Repeat("x", 1234)
	var r http1.Reader
	r.Attach(&endless{wire: answerHead + body}, make([]byte, 16<<10))
	var response http1.Response
	var header pipeline.Header
	b.ReportAllocs()
	for b.Loop() {
		head, err := r.ReadHead(benchLimits)
		if err != nil {
			b.Fatal(err)
		}
		header.Reset()
		if err := response.Parse(head, false, benchLimits, &header); err != nil {
			b.Fatal(err)
		}
		for body := r.Body(&response.Head, nil); !body.AtEnd(); {
			if n := len(body.Front()); n > 0 {
				body.Discard(n)
			} else if _, err := body.Read(make([]byte, 2048)); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
		}
		r.Release()
	}
}

func BenchmarkChunkedBody(b *testing.B) {
	wire := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	const size, chunks = 1000, 64
	for range chunks {
		wire = append(http1.AppendChunkSize(wire, size), bytes.Repeat([]byte("x"), size)...)
		wire = append(wire, http1.ChunkEnd...)
	}
	wire = http1.AppendLastChunk(wire, nil, nil)
	var r http1.Reader
	r.Attach(&endless{wire: string(wire)}, make([]byte, 16<<10))
	var request http1.Request
	var header pipeline.Header
	p := make([]byte, 16<<10)
	b.ReportAllocs()
	b.SetBytes(size * chunks)
	for b.Loop() {
		head, err := r.ReadHead(benchLimits)
		if err != nil {
			b.Fatal(err)
		}
		header.Reset()
		if err := request.Parse(head, benchLimits, &header); err != nil {
			b.Fatal(err)
		}
		for body := r.Body(&request.Head, nil); !body.AtEnd(); {
			if _, err := body.Read(p); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
		}
		r.Release()
	}
}

func BenchmarkAppendAnswer(b *testing.B) {
	var header pipeline.Header
	for line := range strings.SplitSeq(strings.TrimSuffix(answerHead, "\r\n\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			header.Add(name, value)
		}
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = http1.AppendStatusLine(dst[:0], 200)
		dst, _ = http1.AppendFields(dst, &header)
		dst = http1.AppendEmptyLine(http1.AppendLength(dst, 1234))
	}
}
