package origin

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// speak sends bytes over a connection of its own.
func speak(t *testing.T, bytes ...string) (*bufio.Reader, net.Conn) {
	t.Helper()
	o, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", o.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, part := range bytes {
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
	}
	return bufio.NewReader(conn), conn
}

func TestABodyIsAnsweredWithALongOneAndNoneWithAShortOne(t *testing.T) {
	long := strings.Repeat("i", 3*readSize)
	in, _ := speak(t,
		"GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\n\r\nbodyGET /c HTTP/1.1\r\nHos", "t: a\r\n\r\n",
		"POST /d HTTP/1.1\r\nContent-Length: 49152\r\n\r\n", long, "GET /e HTTP/1.1\r\n\r\n")
	for i, want := range []int{ShortAnswer, LongAnswer, ShortAnswer, LongAnswer, ShortAnswer} {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("the %d. answer: %v", i, err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || len(body) != want {
			t.Errorf("the %d. answer is %d with %d bytes (%v), want %d", i, answer.StatusCode, len(body), err, want)
		}
	}
}

func TestAWebSocketEchoesWholeMessages(t *testing.T) {
	in, conn := speak(t, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\x01\x02\x03\x04")
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answered %+v (%v)", answer, err)
	}
	if got := answer.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, section 1.3
		t.Errorf("accepted with %q", got)
	}
	if _, err := io.WriteString(conn, string([]byte{'h' ^ 1, 'i' ^ 2})+"\x81\x81\x00\x00\x00\x00x"); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len("\x81\x02hi\x81\x01x"))
	if _, err := io.ReadFull(in, back); err != nil || string(back) != "\x81\x02hi\x81\x01x" {
		t.Errorf("%q came back (%v)", back, err)
	}
}

func TestWhatIsNotMeasuredEndsTheConnection(t *testing.T) {
	for name, request := range map[string]string{
		"a chunked body":      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"no length":           "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"a head without end":  "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 2*longestHead),
		"an unmasked message": "GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n\x81\x05hello",
		"two of them":         "GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n\x81\x05hello\x81\x05hello",
	} {
		t.Run(name, func(t *testing.T) {
			in, _ := speak(t, request)
			if answer, err := http.ReadResponse(in, nil); err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("answered %d", answer.StatusCode)
			}
			if _, err := io.Copy(io.Discard, in); err == nil {
				return // ended
			} else if !strings.Contains(err.Error(), "reset") {
				t.Errorf("it goes on: %v", err)
			}
		})
	}
}
