package listener

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhatIsNoRequestIsRefusedByAProblemAndEndsTheConnection(t *testing.T) {
	counters := new(Counters)
	handler := new(echo)
	limits := func() *Limits {
		l := DefaultLimits()
		l.Fields, l.HeadBytes, l.StartLineBytes = 10, 4000, 1000
		return l
	}
	address := startWith(t, Config{Handler: handler, Limits: limits, Counters: counters})
	const host = "Host: x\r\n"
	tests := []struct {
		request string
		status  int
		code    problem.Code
	}{
		{"GET / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, problem.BadRequest},
		{"GET / HTTP/1.1\r\n\r\n", 400, problem.BadRequest},
		{"GET / HTTP/1.1\n" + host + "\r\n", 400, problem.BadRequest},
		{"GET /\r\n\r\n", 400, problem.BadRequest},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, problem.BadRequest},
		{"GET /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\n" + host + "\r\n", 414, problem.TargetTooLong},
		{"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect: more\r\n\r\n", 417, problem.ExpectationFailed},
		{"GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 10) + "\r\n", 431, problem.HeadersTooLarge},
		{"GET / HTTP/1.1\r\n" + host + "A: " + strings.Repeat("b", 4000) + "\r\n\r\n", 431, problem.HeadersTooLarge},
		{"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, problem.CodingNotSupported},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, problem.VersionNotSupported},
		{"GET / HTTP/3.0\r\n" + host + "\r\n", 505, problem.VersionNotSupported},
	}
	const behind = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for i, tt := range tests {
		conn := dial(t, address)
		say(t, conn, tt.request+behind)
		got := hearAll(t, conn)
		want := "HTTP/1.1 " + strconv.Itoa(tt.status) + " "
		if !strings.HasPrefix(got, want) || strings.Count(got, "HTTP/1.1 ") != 1 || !strings.Contains(got, "\r\nConnection: close\r\n") ||
			!strings.Contains(got, "application/problem+json") || !strings.Contains(got, `"code":"`+string(tt.code)+`"`) || !strings.Contains(got, `"request_id":"req_`) {
			t.Errorf("%q: got %q", tt.request, got)
		}
		if n := handler.finished.Load(); n != int64(i+1) {
			t.Fatalf("%q: %d requests were counted, want %d", tt.request, n, i+1)
		}
	}
	total := uint64(0)
	for _, n := range counters.Stats().ProtocolErrors {
		total += n
	}
	if total != uint64(len(tests)) {
		t.Errorf("%d protocol errors were counted, want %d: %v", total, len(tests), counters.Stats().ProtocolErrors)
	}
}

// A client that is still sending when it is refused must be able to read why.
func TestARefusalIsReadThoughTheClientStillSends(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Refuse(&pipeline.Rejection{Code: problem.BodyTooLarge})
		ex.Answer()
	}})
	for range 20 {
		conn := dial(t, address)
		say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"+strings.Repeat("x", 100_000))
		if got := hearAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Fatalf("got %q", got)
		}
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	conn := dial(t, start(t, new(echo)))
	const many = 100
	var requests strings.Builder
	for i := range many {
		requests.WriteString("GET /" + strconv.Itoa(i) + " HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	say(t, conn, requests.String())
	reader := bufio.NewReader(conn)
	for i := range many {
		if _, body := next(t, reader, http.MethodGet); body != "GET x /"+strconv.Itoa(i)+" " {
			t.Fatalf("answer %d: %q", i, body)
		}
	}
}

// next reads one answer.
func next(t *testing.T, reader *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestTheEndOfAConnectionIsAnnouncedAsItsClientAsked(t *testing.T) {
	address := start(t, new(echo))
	for _, tt := range []struct {
		request, says string
		goesOn        bool
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", true},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", "close", false},
		{"GET / HTTP/1.0\r\n\r\n", "close", false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", true},
	} {
		conn := dial(t, address)
		reader := bufio.NewReader(conn)
		for range 2 {
			say(t, conn, tt.request)
			head, err := reader.ReadString('\n')
			for err == nil && !strings.HasSuffix(head, "\r\n\r\n") {
				var line string
				line, err = reader.ReadString('\n')
				head += line
			}
			if err != nil {
				t.Fatal(err)
			}
			if says := strings.Contains(head, "Connection: "+tt.says+"\r\n"); says != (tt.says != "") {
				t.Errorf("%q: got %q", tt.request, head)
			}
			if _, err := io.CopyN(io.Discard, reader, int64(len("GET  / ")+strings.Count(tt.request, "Host"))); err != nil {
				t.Fatal(err)
			}
			if !tt.goesOn {
				if rest := hearAll(t, reader); rest != "" {
					t.Errorf("%q: %q comes behind", tt.request, rest)
				}
				break
			}
		}
	}
}

func TestWhatABodyIsFramedBySuitsMethodStatusAndVersion(t *testing.T) {
	const text = "hello"
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status, _ = strconv.Atoi(strings.Trim(ex.Request.Query, "x"))
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		if strings.HasSuffix(ex.Request.Query, "x") {
			ex.Response.ContentLength = -1
		}
	}})
	for _, tt := range []struct{ line, has, hasNot, end string }{
		{"GET /?200 HTTP/1.1", "Content-Length: 5\r\n", "Transfer-Encoding", "\r\n\r\nhello"},
		{"GET /?200x HTTP/1.1", "Transfer-Encoding: chunked\r\n", "Content-Length", "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"GET /?200x HTTP/1.0", "Connection: close\r\n", "Transfer-Encoding", "\r\n\r\nhello"},
		{"HEAD /?200 HTTP/1.1", "Content-Length: 5\r\n", "Transfer-Encoding", "\r\n\r\n"},
		{"HEAD /?200x HTTP/1.1", "HTTP/1.1 200 OK\r\n", "Content-Length", "\r\n\r\n"},
		{"GET /?204 HTTP/1.1", "HTTP/1.1 204 No Content\r\n", "Content-Length", "\r\n\r\n"},
		{"GET /?304 HTTP/1.1", "HTTP/1.1 304 Not Modified\r\n", "Content-Length", "\r\n\r\n"},
		{"GET /?499 HTTP/1.1", "HTTP/1.1 499 \r\n", "Transfer-Encoding", "\r\n\r\nhello"},
		{"GET /?100 HTTP/1.1", "HTTP/1.1 500 ", "hello", "}"}, // no answer, and nothing of it gets out
		{"GET /?101 HTTP/1.1", "HTTP/1.1 500 ", "hello", "}"},
		{"GET /?600 HTTP/1.1", "HTTP/1.1 500 ", "hello", "}"},
	} {
		conn := dial(t, address)
		say(t, conn, tt.line+"\r\nHost: x\r\nConnection: close\r\n\r\n")
		got := hearAll(t, conn)
		if !strings.Contains(got, tt.has) || strings.Contains(got, tt.hasNot) || !strings.HasSuffix(got, tt.end) || strings.Count(got, "\r\nDate: ") != 1 {
			t.Errorf("%s: got %q", tt.line, got)
		}
	}
}

func TestAnAnswersOwnWordsOnFramingAndDateAreNotRepeated(t *testing.T) {
	conn := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = 200
		for _, f := range []string{"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer"} {
			ex.Response.Header.Add(f, "7")
		}
		ex.Response.Header.Add("Date", "then")
		ex.Response.Header.Add("date", "now")
		ex.Response.Header.Add("X-Kept", "yes")
	}}))
	say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got, want := hearAll(t, conn), "HTTP/1.1 200 OK\r\nDate: then\r\nX-Kept: yes\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A value that could begin another field, or another answer, is none of any answer.
func TestAnAnswerWithControlBytesInItsHeadFailsClosed(t *testing.T) {
	for _, field := range []pipeline.Field{
		{Name: "X", Value: "a\r\nSet-Cookie: b"}, {Name: "X", Value: "a\nb"}, {Name: "X", Value: "a\x00b"}, {Name: "X: y", Value: ""}, {Name: "", Value: "x"},
	} {
		handler := &echo{serve: func(ex *pipeline.Exchange) {
			ex.Response.Status = 200
			ex.Response.Header.Add("X-Secret", "s")
			ex.Response.Header.Add(field.Name, field.Value)
		}}
		conn := dial(t, start(t, handler))
		say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if got := hearAll(t, conn); !strings.HasPrefix(got, "HTTP/1.1 500 ") || strings.Contains(got, "X-Secret") || strings.Contains(got, "Set-Cookie") || !strings.Contains(got, "X-Request-Id: req_") {
			t.Errorf("%q: got %q", field, got)
		}
	}
}

func TestTheBodyOfAClientThatExpectsContinueIsInvitedWhenItIsRead(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		body, err := io.ReadAll(ex.Request.Body)
		if err != nil || string(body) != "hello" {
			t.Errorf("read %q, %v", body, err)
		}
		ex.Response.Status = http.StatusOK
	}})
	conn := dial(t, address)
	say(t, conn, head)
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	say(t, conn, "hello")
	if answer, _ := next(t, reader, http.MethodPost); answer.StatusCode != http.StatusOK || answer.Close {
		t.Errorf("got %d, close %t", answer.StatusCode, answer.Close)
	}

	refusing := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusForbidden
	}}))
	say(t, refusing, head)
	reader = bufio.NewReader(refusing)
	if answer, _ := next(t, reader, http.MethodPost); answer.StatusCode != http.StatusForbidden || !answer.Close {
		t.Errorf("got %d, close %t; want 403 and the connection's end", answer.StatusCode, answer.Close)
	}
}

func TestEarlyHintsArePassedOnButToHTTP10(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		if ex.Interim != nil {
			var hints pipeline.Header
			hints.Add("Link", "</a.css>; rel=preload")
			hints.Add("Content-Length", "5")
			ex.Interim(103, &hints)
			ex.Interim(102, &hints)
			hints.Add("X", "a\r\nb")
			ex.Interim(103, &hints)
		}
		ex.Response.Status = http.StatusOK
	}})
	for version, want := range map[string]string{
		"1.1": "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n",
		"1.0": "HTTP/1.1 200 OK\r\n",
	} {
		conn := dial(t, address)
		say(t, conn, "GET / HTTP/"+version+"\r\nHost: x\r\nConnection: close\r\n\r\n")
		if got := hearAll(t, conn); !strings.HasPrefix(got, want) || strings.Count(got, "Early") != strings.Count(want, "Early") {
			t.Errorf("HTTP/%s: got %q", version, got)
		}
	}
}

// Both sides may be sending at once, for as long as they like.
func TestAnAnswerStreamsWhileTheUploadGoesOn(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		reader, writer := io.Pipe()
		body := ex.Request.Body
		go func() {
			_, err := io.Copy(writer, body)
			_ = writer.CloseWithError(err)
		}()
		ex.Response.Status, ex.Response.Body, ex.Response.ContentLength = http.StatusOK, reader, -1
	}})
	conn := dial(t, address)
	say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil) // the head comes before any of the body
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for range 10 {
		say(t, conn, "5\r\nhello\r\n")
		piece := make([]byte, 5)
		if _, err := io.ReadFull(answer.Body, piece); err != nil || string(piece) != "hello" {
			t.Fatalf("got %q, %v", piece, err)
		}
	}
	say(t, conn, "0\r\n\r\n")
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

// piecewise is a body that hands over a piece with each Read, and its end with the last one.
type piecewise struct {
	pieces [][]byte
	end    error
	prompt bool
}

func (p *piecewise) Read(to []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, p.end
	}
	n := copy(to, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; len(p.pieces[0]) == 0 {
		p.pieces = p.pieces[1:]
	}
	if len(p.pieces) == 0 {
		return n, p.end
	}
	return n, nil
}

func (p *piecewise) Prompt() bool { return p.prompt }
func (*piecewise) Close() error   { return nil }

func TestBodiesOfAllSizesAreSentAsTheyAre(t *testing.T) {
	for _, size := range []int{1, 15, 16, 255, 256, 4095, 4096, 30_000, writeBufferBytes - endRoom - sizeRoom, writeBufferBytes, 100_000} {
		for _, prompt := range []bool{true, false} {
			for _, version := range []string{"1.0", "1.1"} {
				whole := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
				body := &piecewise{pieces: [][]byte{whole[:size/3], whole[size/3:]}, end: io.EOF, prompt: prompt}
				if size/3 == 0 {
					body.pieces = body.pieces[1:]
				}
				conn := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
					ex.Response.Status, ex.Response.Body, ex.Response.ContentLength = http.StatusOK, body, -1
				}}))
				say(t, conn, "GET / HTTP/"+version+"\r\nHost: x\r\nConnection: close\r\n\r\n")
				if _, got := next(t, bufio.NewReader(conn), http.MethodGet); got != string(whole) {
					t.Fatalf("HTTP/%s, %d bytes, prompt %t: got %d others", version, size, prompt, len(got))
				}
			}
		}
	}
}

// Whatever it is framed by, a client can tell a part of an answer from the whole.
func TestAnAnswerThatIsCutShortLooksSo(t *testing.T) {
	for _, version := range []string{"1.0", "1.1"} {
		for _, length := range []int64{-1, 100} {
			handler := &echo{serve: func(ex *pipeline.Exchange) {
				ex.Response.Status, ex.Response.ContentLength = http.StatusOK, length
				ex.Response.Body = &piecewise{pieces: [][]byte{[]byte("half")}, end: io.ErrUnexpectedEOF}
			}}
			conn := dial(t, start(t, handler))
			say(t, conn, "GET / HTTP/"+version+"\r\nHost: x\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				continue // cut before the head
			}
			if got, err := io.ReadAll(answer.Body); err == nil {
				t.Errorf("HTTP/%s, length %d: %q looks whole", version, length, got)
			}
			_ = answer.Body.Close()
		}
	}
}
