package listener

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// answers sends bytes as they are, and returns the status of each answer until the connection ends.
func answers(t *testing.T, address, request string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Error(err)
		}
		_ = answer.Body.Close()
		statuses = append(statuses, answer.StatusCode)
	}
}

// A proxy in front may take for one body what looks like a request behind a part of it.
func TestNothingBehindAnUnreadBodyIsTakenForARequest(t *testing.T) {
	refuse := func(ex *pipeline.Exchange) {
		ex.Refuse(&pipeline.Rejection{Code: problem.RateLimited})
		ex.Answer()
	}
	address := start(t, &echo{serve: refuse})
	const next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for _, body := range []string{
		"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + next,
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX" + next,
		"Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n" + next,
		"Content-Length: 5\r\n\r\nhello" + next,
		"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n" + next,
	} {
		if got := answers(t, address, "POST / HTTP/1.1\r\nHost: x\r\n"+body); len(got) != 1 || got[0] != http.StatusTooManyRequests {
			t.Errorf("%q: answers %d, want the refusal alone", body, got)
		}
	}
}

func TestAConnectionGoesOnBehindABodyThatWasRead(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		if _, err := io.Copy(io.Discard, ex.Request.Body); err != nil {
			t.Error(err)
		}
		ex.Response.Status = http.StatusOK
	}})
	const next = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for _, body := range []string{"Content-Length: 5\r\n\r\nhello", "Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		if got := answers(t, address, "POST / HTTP/1.1\r\nHost: x\r\n"+body+next); len(got) != 2 {
			t.Errorf("%q: answers %d, want two", body, got)
		}
	}
}

func TestOnlyHTTPTargetsWithAHostAreTaken(t *testing.T) {
	address := start(t, new(echo))
	for _, target := range []string{"a:b://evil/x", "ftp://x/y", "http:///y", "http://", "https://?q"} {
		if status, body := raw(t, address, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusBadRequest {
			t.Errorf("%q: %d %q, want 400", target, status, body)
		}
	}
	if status, body := raw(t, address, "GET HTTPS://real/x HTTP/1.1\r\nHost: real\r\n\r\n"); status != http.StatusOK || !strings.Contains(body, "GET real /x") {
		t.Errorf("%d %q, want 200", status, body)
	}
}

// Bytes behind CONNECT may be meant for whom it names.
func TestNothingBehindAConnectIsTakenForARequest(t *testing.T) {
	address := start(t, new(echo))
	got := answers(t, address, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if len(got) != 1 || got[0] != http.StatusMethodNotAllowed {
		t.Errorf("answers %d, want the refusal alone", got)
	}
}
