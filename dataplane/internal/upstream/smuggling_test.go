package upstream

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// Whatever a target says, the next request gets the answer to itself, and where what was said can be read in two ways, on another
// connection. (Each connection tells its number once it is past the odd answer.)
func TestNoAnswerIsTakenForThatToAnotherRequest(t *testing.T) {
	const invalid = string(problem.UpstreamInvalidResponse)
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	head := func(fields ...string) string {
		return "HTTP/1.1 200 OK\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
	}
	tests := map[string]struct {
		method, answer, want string
		reused               bool
	}{
		"a plain answer":                     {"GET", ok("fine"), "200 fine", true},
		"a chunked answer":                   {"GET", head("Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\n\r\n", "200 fine", true},
		"an answer without body":             {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", true},
		"an answer to HEAD":                  {"HEAD", head("Content-Length: 100"), "200 ", true},
		"a 304 with a length":                {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", "304 ", true},
		"interim answers":                    {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("fine"), "200 fine", true},
		"two answers":                        {"GET", ok("fine") + smuggled, "200 fine", false},
		"an answer and a half":               {"GET", ok("fine") + smuggled[:20], "200 fine", false},
		"one byte too many":                  {"GET", ok("fine") + "x", "200 fine", false},
		"a body behind the answer to HEAD":   {"HEAD", ok("fine"), "200 ", false},
		"a body behind 204":                  {"GET", "HTTP/1.1 204 No Content\r\n\r\n" + smuggled, "204 ", false},
		"a body behind 304":                  {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + smuggled, "304 ", false},
		"an answer behind the last chunk":    {"GET", head("Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\n\r\n" + smuggled, "200 fine", false},
		"the end of the connection told of":  {"GET", head("Connection: close", "Content-Length: 4") + "fine", "200 fine", false},
		"length and chunks":                  {"GET", head("Content-Length: 4", "Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\n\r\n", invalid, false},
		"chunks and length":                  {"GET", head("Transfer-Encoding: chunked", "Content-Length: 4") + "4\r\nfine\r\n0\r\n\r\n", invalid, false},
		"two lengths":                        {"GET", head("Content-Length: 4", "Content-Length: 5") + "fine", invalid, false},
		"one length twice":                   {"GET", head("Content-Length: 4", "Content-Length: 4") + "fine", invalid, false},
		"a list of lengths":                  {"GET", head("Content-Length: 4, 4") + "fine", invalid, false},
		"a signed length":                    {"GET", head("Content-Length: +4") + "fine", invalid, false},
		"a hexadecimal length":               {"GET", head("Content-Length: 0x4") + "fine", invalid, false},
		"a length that no number holds":      {"GET", head("Content-Length: 18446744073709551620") + "fine", invalid, false},
		"a coding before chunked":            {"GET", head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", invalid, false},
		"a coding behind chunked":            {"GET", head("Transfer-Encoding: chunked, identity") + "0\r\n\r\n", invalid, false},
		"chunked twice":                      {"GET", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n", invalid, false},
		"chunked by another name":            {"GET", head("Transfer-Encoding: xchunked", "Content-Length: 4") + "fine", invalid, false},
		"chunks in HTTP/1.0":                 {"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", invalid, false},
		"a name that imitates a length":      {"GET", head("Content_Length: 4") + "fine", invalid, false},
		"a space before the colon":           {"GET", head("Content-Length : 4") + "fine", invalid, false},
		"a folded field":                     {"GET", head("A: b", " c", "Content-Length: 4") + "fine", invalid, false},
		"a bare LF":                          {"GET", "HTTP/1.1 200 OK\nContent-Length: 4\n\nfine", invalid, false},
		"a bare CR in a value":               {"GET", head("A: b\rContent-Length: 0", "Content-Length: 4") + "fine", invalid, false},
		"a NUL in a value":                   {"GET", head("A: b\x00", "Content-Length: 4") + "fine", invalid, false},
		"an unknown version":                 {"GET", "HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nfine", invalid, false},
		"no version":                         {"GET", "fine\r\n\r\n", invalid, false},
		"a flood of interim answers":         {"GET", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9) + ok("fine"), invalid, false},
		"an interim answer with a length":    {"GET", "HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nfine" + ok("fine"), invalid, false},
		"another protocol":                   {"GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", invalid, false},
		"a chunk's size that is none":        {"GET", head("Transfer-Encoding: chunked") + "g\r\nfine\r\n0\r\n\r\n", "200 !", false},
		"a chunk that is longer than said":   {"GET", head("Transfer-Encoding: chunked") + "3\r\nfine\r\n0\r\n\r\n", "200 fin!", false},
		"a chunk with an extension":          {"GET", head("Transfer-Encoding: chunked") + "4;a=b\r\nfine\r\n0\r\n\r\n", "200 !", false},
		"a trailer that frames":              {"GET", head("Transfer-Encoding: chunked") + "4\r\nfine\r\n0\r\nContent-Length: 4\r\n\r\n", "200 fine!", false},
		"a start line that is too long":      {"GET", "HTTP/1.1 200 " + strings.Repeat("O", 9<<10) + "\r\n\r\n", invalid, false},
		"too many fields":                    {"GET", head(strings.Repeat("A: b\r\n", 300) + "Content-Length: 0"), invalid, false},
		"an endless head":                    {"GET", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 70<<10), invalid, false},
		"spaces around a chunk's size":       {"GET", head("Transfer-Encoding: chunked") + " 4 \r\nfine\r\n0\r\n\r\n", "200 !", false},
		"the answer of another in its place": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 fine", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
				if number == 1 {
					if !take(from) {
						return
					}
					_, _ = io.WriteString(conn, tt.answer)
				}
				serving(number, conn, from)
			}))
			ex := request(t.Context(), "/odd")
			ex.Request.Method = tt.method
			wantAnswer(t, pool, ex, tt.want)
			next := "200 2"
			if tt.reused {
				next = "200 1"
			}
			wantAnswer(t, pool, request(t.Context(), "/next"), next)
		})
	}
}

// What comes while nobody has asked is no answer to whoever asks next, be it written before or long after the last answer.
func TestWhatATargetSaysUnaskedEndsTheConnection(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			said, say := make(chan struct{}), make(chan struct{})
			pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
				if number == 1 {
					take(from)
					_, _ = io.WriteString(conn, ok("fine"))
					<-say
					_, _ = io.WriteString(conn, ok("smuggled"))
					close(said)
				}
				serving(number, conn, from)
			}))
			wantAnswer(t, pool, request(t.Context(), "/"), "200 fine")
			close(say)
			<-said
			ex := request(t.Context(), "/next")
			ex.Request.Method = method
			wantAnswer(t, pool, ex, "200 2")
		})
	}
}

func TestAnAnswerBeforeAnyRequestIsNone(t *testing.T) {
	spoken := make(chan struct{})
	pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
		if number == 1 {
			_, _ = io.WriteString(conn, ok("early"))
			close(spoken)
		}
		serving(number, conn, from)
	}))
	ex, opened := request(t.Context(), "/"), pool.members[0].target
	c, err := opened.take(&attempt{pool: pool, ex: ex})
	if err != nil {
		t.Fatal(err)
	}
	<-spoken
	c.reused = true
	opened.put(c, 0)
	wantAnswer(t, pool, ex, "200 2")
}
