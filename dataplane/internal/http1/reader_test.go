package http1_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

func TestRequestsAreReadOneBehindTheOther(t *testing.T) {
	t.Parallel()
	wire := "POST /a?b HTTP/1.1\r\nHost: Example.org:80\r\nContent-Length: 5\r\n\r\nhello" +
		"PUT http://example.org/c HTTP/1.1\r\nhost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n" +
		"GET / HTTP/1.0\r\n\r\n"
	want := []string{"POST /a?b example.org hello ", "PUT /c example.org abc0123456789 X: y", "GET /   "}
	for _, buffer := range []int{0, 1, 64, 100, 4096, 1 << 16} {
		inEverySplit(wire, func(src io.Reader) {
			r := reading(src, buffer)
			var all []string
			for {
				g, err := readRequest(r)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, strings.Join([]string{g.request.Method, g.request.Target, g.request.Authority, g.body, fields(&g.trailer)}, " "))
				r.Release()
			}
			if strings.Join(all, "|") != strings.Join(want, "|") {
				t.Errorf("got %q", all)
			}
		})
	}
}

// Each bound is met exactly: what it says is taken, one more is not.
func TestBoundsOfAHeadAreExact(t *testing.T) {
	t.Parallel()
	const line = "GET / HTTP/1.1"
	wire := line + "\r\nHost: a\r\nX: y\r\n\r\n"
	for name, test := range map[string]struct {
		limits http1.Limits
		want   error
	}{
		"all fits":              {http1.Limits{StartLine: len(line), Head: len(wire), Fields: 2}, nil},
		"the line doesn't":      {http1.Limits{StartLine: len(line) - 1, Head: len(wire), Fields: 2}, http1.ErrTargetLong},
		"the head doesn't":      {http1.Limits{StartLine: len(line), Head: len(wire) - 1, Fields: 2}, http1.ErrHeadLarge},
		"the fields don't":      {http1.Limits{StartLine: len(line), Head: len(wire), Fields: 1}, http1.ErrFieldsMany},
		"neither line nor head": {http1.Limits{StartLine: 3, Head: 10, Fields: 2}, http1.ErrTargetLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEverySplit(wire, func(src io.Reader) {
				r := reading(src, 64)
				head, err := r.ReadHead(&test.limits)
				if err == nil {
					var request http1.Request
					var header pipeline.Header
					if refusal := request.Parse(head, &test.limits, &header); refusal != nil {
						err = refusal
					}
				}
				if !errors.Is(err, test.want) && (name != "neither line nor head" || !errors.Is(err, http1.ErrHeadLarge)) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			})
		})
	}
}

// A sender who never ends a line holds no more memory than the bounds say.
func TestALongStartLineIsRefusedBeforeTheHeadIsThere(t *testing.T) {
	t.Parallel()
	src := &counting{from: strings.NewReader("GET /" + strings.Repeat("a", 1<<20))}
	if _, err := reading(iotest.OneByteReader(src), 64).ReadHead(limits()); !errors.Is(err, http1.ErrTargetLong) {
		t.Fatal(err)
	}
	if most := limits().StartLine + 2; src.n > most {
		t.Errorf("%d bytes were read, want at most %d", src.n, most)
	}
}

type counting struct {
	from io.Reader
	n    int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += n
	return n, err
}

func TestTheBufferGrowsNoFurtherThanAHeadMay(t *testing.T) {
	t.Parallel()
	wire := "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 3900) + "\r\n\r\n"
	r := reading(strings.NewReader(wire), 64)
	if _, err := readRequest(r); err != nil {
		t.Fatal(err)
	}
	r.Release()
	if most := limits().Head + 4096; len(r.Detach()) > most {
		t.Errorf("the buffer has grown past %d bytes", most)
	}
}

func TestABufferIsGivenBackOnlyWhileNothingIsInIt(t *testing.T) {
	t.Parallel()
	buffer := make([]byte, 4096)
	src := strings.NewReader("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n")
	var r http1.Reader
	r.Attach(src, buffer)
	if back := r.Detach(); &back[0] != &buffer[0] || r.Holds() {
		t.Fatal("an unused buffer wasn't given back")
	}
	r.Lend(buffer)
	for i := range 2 {
		if _, err := readRequest(&r); err != nil {
			t.Fatal(err)
		}
		if r.Detach() != nil {
			t.Fatal("a buffer that strings share was given back")
		}
		r.Release()
		if i == 0 && r.Detach() != nil {
			t.Fatal("a buffer with a request in it was given back")
		}
	}
	if back := r.Detach(); back == nil {
		t.Fatal("a buffer that is empty again wasn't given back")
	}
	if _, err := r.ReadHead(limits()); !errors.Is(err, io.EOF) {
		t.Errorf("a reader without a buffer reads %v", err)
	}
}

// A body that ends early is told from one that ends; a connection that ends between messages from one that ends inside.
func TestAnEndInsideAMessageIsUnexpected(t *testing.T) {
	t.Parallel()
	for _, wire := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	} {
		for at := 1; at < len(wire); at++ {
			for _, src := range []io.Reader{strings.NewReader(wire[:at]), iotest.DataErrReader(strings.NewReader(wire[:at])), iotest.OneByteReader(strings.NewReader(wire[:at]))} {
				if _, err := readRequest(reading(src, 4096)); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%q gives %v", wire[:at], err)
				}
			}
		}
	}
	if _, err := readRequest(reading(strings.NewReader(""), 64)); !errors.Is(err, io.EOF) {
		t.Errorf("nothing at all gives %v", err)
	}
}

// The same at each place with an error of the connection, which comes out as it is, and stays.
func TestAnErrorOfTheConnectionComesOutAsItIs(t *testing.T) {
	t.Parallel()
	wire := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"
	for at := range len(wire) {
		src := io.MultiReader(strings.NewReader(wire[:at]), iotest.ErrReader(os.ErrDeadlineExceeded))
		if _, err := readRequest(reading(src, 4096)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q gives %v", wire[:at], err)
		}
	}
	if _, err := readRequest(reading(eternallyNothing{}, 64)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a connection that gives nothing gives %v", err)
	}
}

type eternallyNothing struct{}

func (eternallyNothing) Read([]byte) (int, error) { return 0, nil }

// After a deadline the same head can be read on.
func TestAHeadIsReadOnAfterADeadline(t *testing.T) {
	t.Parallel()
	wire := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for at := range len(wire) {
		r := reading(iotest.TimeoutReader(io.MultiReader(strings.NewReader(wire[:at]), strings.NewReader(wire[at:]))), 64)
		var err error
		for range 3 {
			if _, err = r.ReadHead(limits()); !errors.Is(err, iotest.ErrTimeout) {
				break
			}
		}
		if err != nil {
			t.Errorf("split at %d gives %v", at, err)
		}
	}
}

// Strings of a head live until Release, whatever is read of the body: its window never reaches back to them.
func TestTheStringsOfAHeadOutliveItsBody(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("v", 3000)
	data := strings.Repeat("0123456789abcdef", 4096)
	var chunks strings.Builder
	for i := 0; i < len(data); i += 7 {
		part := data[i:min(i+7, len(data))]
		chunks.Write(http1.AppendChunkSize(nil, len(part)))
		chunks.WriteString(part + http1.ChunkEnd)
	}
	chunks.WriteString("0\r\nT: " + strings.Repeat("t", 7000) + "\r\n\r\n")
	wire := "POST / HTTP/1.1\r\nHost: a\r\nX: " + value + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks.String()
	for _, buffer := range []int{64, 3100, 3500, 4096, 8192, 1 << 17} {
		for _, src := range []io.Reader{strings.NewReader(wire), iotest.HalfReader(strings.NewReader(wire)), iotest.OneByteReader(strings.NewReader(wire))} {
			r := reading(src, buffer)
			g, err := readRequest(r)
			if err != nil || g.body != data || g.header.Get("X") != value || g.request.Method != http.MethodPost || len(g.trailer.Get("T")) != 7000 {
				t.Fatalf("buffer of %d: %v, %d bytes of body, value %.10q", buffer, err, len(g.body), g.header.Get("X"))
			}
			r.Release()
			if len(g.trailer.Get("T")) != 7000 || strings.Trim(g.trailer.Get("T"), "t") != "" {
				t.Error("trailers don't outlive the body")
			}
		}
	}
}

func TestABodyThatWasReleasedReadsNothingOfTheNextMessage(t *testing.T) {
	t.Parallel()
	r := reading(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n"), 4096)
	head, err := r.ReadHead(limits())
	if err != nil {
		t.Fatal(err)
	}
	var request http1.Request
	var header pipeline.Header
	if err := request.Parse(head, limits(), &header); err != nil {
		t.Fatal(err)
	}
	body := r.Body(&request.Head, nil)
	r.Release()
	if n, err := body.Read(make([]byte, 10)); n != 0 || err == nil || errors.Is(err, io.EOF) || body.AtEnd() || body.Front() != nil {
		t.Errorf("it reads %d bytes, %v", n, err)
	}
}

func TestTheFrontOfABodyIsWhatHasCome(t *testing.T) {
	t.Parallel()
	begin := func(wire io.Reader) (*http1.Reader, *http1.Body) {
		r := reading(wire, 4096)
		head, err := r.ReadHead(limits())
		if err != nil {
			t.Fatal(err)
		}
		var request http1.Request
		var header pipeline.Header
		if err := request.Parse(head, limits(), &header); err != nil {
			t.Fatal(err)
		}
		body := r.Body(&request.Head, nil)
		return r, body
	}
	r, body := begin(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET"))
	if front := string(body.Front()); front != "hello" {
		t.Errorf("the front is %q", front)
	}
	body.Discard(2)
	if front := string(body.Front()); front != "llo" || body.AtEnd() {
		t.Errorf("then it is %q, at end: %v", front, body.AtEnd())
	}
	body.Discard(3)
	if body.Front() != nil || !body.AtEnd() || r.Buffered() != 3 {
		t.Errorf("at the end it is %q, at end: %v, %d bytes left", body.Front(), body.AtEnd(), r.Buffered())
	}

	head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	_, body = begin(io.MultiReader(strings.NewReader(head+"5\r\nhello\r\n"), strings.NewReader("1\r\n!\r\n0\r\n\r\n")))
	for _, want := range []string{"hello", "!"} {
		if body.Front() != nil {
			t.Errorf("a chunked body has the front %q", body.Front())
		}
		body.Discard(0) // between chunks too, this is no end
		p := make([]byte, 10)
		if n, err := body.Read(p); string(p[:n]) != want || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("it reads %q, %v; want %q", p[:n], err, want)
		}
	}
	if !body.AtEnd() {
		t.Error("it isn't at its end")
	}
}

// Somebody may wait for what has come: it is handed over before more is waited for.
func TestChunksAreHandedOverAsTheyCome(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	go func() {
		_, _ = io.WriteString(out, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n9\r\nth")
	}()
	r := reading(in, 4096)
	head, err := r.ReadHead(limits())
	if err != nil {
		t.Fatal(err)
	}
	var request http1.Request
	var header pipeline.Header
	if err := request.Parse(head, limits(), &header); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8192)
	if n, err := r.Body(&request.Head, nil).Read(p); err != nil || string(p[:n]) != "onetwoth" {
		t.Errorf("got %q, %v", p[:n], err)
	}
}

func TestTheLargestLengthsAreTakenForWhatTheyAre(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]string{
		"Content-Length: 999999999999999999\r\n\r\n":            "",
		"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n": "",
	} {
		r := reading(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\n"+wire+"hello"+want), 4096)
		g, err := readRequest(r)
		if !errors.Is(err, io.ErrUnexpectedEOF) || g.body != "hello" {
			t.Errorf("%q: got %q, %v", wire, g.body, err)
		}
	}
}

// Small buffers of the caller change nothing in what is read.
func TestABodyIsTheSameInWhateverPortionsItIsRead(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 2000)
	wire := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + string(data) +
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" + string(data) + "\r\n0\r\n\r\n"
	for _, portion := range []int{1, 7, 4095, 4096, 30000} {
		r := reading(strings.NewReader(wire), 512)
		for range 2 {
			head, err := r.ReadHead(limits())
			if err != nil {
				t.Fatal(err)
			}
			var request http1.Request
			var header pipeline.Header
			if err := request.Parse(head, limits(), &header); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			body := r.Body(&request.Head, nil)
			for p := make([]byte, portion); ; {
				n, err := body.Read(p)
				got.Write(p[:n])
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got.Bytes(), data) || !body.AtEnd() {
				t.Errorf("in portions of %d other %d bytes were read", portion, got.Len())
			}
			r.Release()
		}
	}
}
