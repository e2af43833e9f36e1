package http1

import (
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

func TestMessagesAreReadOneBehindTheOther(t *testing.T) {
	limits := &Limits{StartLine: 1000, Head: 2000, Fields: 10}
	wire := "POST /a?b HTTP/1.1\r\nHost: Example.org:80\r\nContent-Length: 5\r\n\r\nhello" +
		"PUT http://example.org/c HTTP/1.1\r\nhost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n" +
		"GET / HTTP/1.0\r\n\r\n"
	var r Reader
	r.Attach(iotestOneByte{strings.NewReader(wire)}, make([]byte, 64))
	var got []string
	for {
		head, err := r.ReadHead(limits)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var request Request
		var header, trailer pipeline.Header
		if err := request.Parse(head, limits, &header); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body(&request.Head, &trailer))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{request.Method, request.Target, request.Authority, string(body), trailer.Get("x")}, " "))
		r.Release()
	}
	want := []string{"POST /a?b example.org hello ", "PUT /c example.org abc0123456789 y", "GET /   "}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}

type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }
