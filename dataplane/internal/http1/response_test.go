package http1_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
)

func TestAnAnswerThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, refused := range map[string]struct {
		wire string
		want *http1.Error
	}{
		"no status":               {"HTTP/1.1\r\n\r\n", http1.ErrStartLine},
		"status of two digits":    {"HTTP/1.1 20\r\n\r\n", http1.ErrStartLine},
		"status of four digits":   {"HTTP/1.1 2000 OK\r\n\r\n", http1.ErrStartLine},
		"status of letters":       {"HTTP/1.1 2x0 OK\r\n\r\n", http1.ErrStatus},
		"status with a sign":      {"HTTP/1.1 +20 OK\r\n\r\n", http1.ErrStatus},
		"status below 100":        {"HTTP/1.1 099 OK\r\n\r\n", http1.ErrStatus},
		"status above 599":        {"HTTP/1.1 600 OK\r\n\r\n", http1.ErrStatus},
		"two spaces":              {"HTTP/1.1  200 OK\r\n\r\n", http1.ErrStatus},
		"tab":                     {"HTTP/1.1\t200 OK\r\n\r\n", http1.ErrStartLine},
		"tab behind the status":   {"HTTP/1.1 200\tOK\r\n\r\n", http1.ErrStartLine},
		"control byte in reason":  {"HTTP/1.1 200 O\x00K\r\n\r\n", http1.ErrStartLine},
		"CR in reason":            {"HTTP/1.1 200 O\rK\r\n\r\n", http1.ErrStartLine},
		"another version":         {"HTTP/2.0 200 OK\r\n\r\n", http1.ErrVersion},
		"no version":              {"ICY 200 OK \r\n\r\n", http1.ErrStartLine},
		"an empty line before":    {"\r\nHTTP/1.1 200 OK\r\n\r\n", http1.ErrStartLine},
		"bare LF":                 {"HTTP/1.1 200 OK\n\n", http1.ErrBareLF},
		"a long reason":           {"HTTP/1.1 200 " + strings.Repeat("x", 1000) + "\r\n\r\n", http1.ErrTargetLong},
		"both framings":           {ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", http1.ErrLengthAndCoding},
		"two lengths":             {ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", http1.ErrLength},
		"a list of lengths":       {ok + "Content-Length: 5, 5\r\n\r\n", http1.ErrLength},
		"chunked not last":        {ok + "Transfer-Encoding: chunked, gzip\r\n\r\n", http1.ErrCoding},
		"compressed and chunked":  {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", http1.ErrCodingUnknown},
		"chunked in 1.0":          {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", http1.ErrCoding},
		"a twin of framing":       {ok + "Content_Length: 5\r\n\r\n", http1.ErrFramingTwin},
		"a folded field":          {ok + "X: y\r\n z\r\n\r\n", http1.ErrFold},
		"space before a colon":    {ok + "X : y\r\n\r\n", http1.ErrFieldName},
		"NUL in a value":          {ok + "X: \x00\r\n\r\n", http1.ErrFieldValue},
		"an interim with length":  {"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello", http1.ErrInterimBody},
		"an interim with chunks":  {"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrInterimBody},
		"a tunnel with chunks":    {"HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n", http1.ErrInterimBody},
		"a bad trailer":           {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nSet-Cookie: a\r\n\r\n", http1.ErrTrailer},
		"a chunk with extension":  {ok + "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n", http1.ErrChunkExt},
		"a head without an end":   {ok + strings.Repeat("X: y\r\n", 9000), http1.ErrHeadLarge},
		"too many fields":         {ok + strings.Repeat("X: y\r\n", 21) + "\r\n", http1.ErrFieldsMany},
		"a reason without an end": {"HTTP/1.1 200 " + strings.Repeat("x", 9000), http1.ErrTargetLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, toHead := range []bool{false, true} {
				if toHead && (refused.want == http1.ErrTrailer || refused.want == http1.ErrChunkExt) {
					continue // such an answer has no body
				}
				if _, err := readResponse(reading(strings.NewReader(refused.wire), 64), toHead); !errors.Is(err, refused.want) {
					t.Errorf("got %v, want %v", err, refused.want)
				}
			}
		})
	}
}

// Where a body ends is said by status, method and fields together (RFC 9112, section 6.3).
func TestAnAnswerEndsWhereItsSenderMeantIt(t *testing.T) {
	t.Parallel()
	const length, chunks = "Content-Length: 2\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct {
		wire   string
		toHead bool
		want   string
		left   string
	}{
		"length":                     {"HTTP/1.1 200 OK\r\n" + length + "hi!", false, "200 length 2 hi", "!"},
		"length of nothing":          {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n!", false, "200 none 0", "!"},
		"chunked":                    {"HTTP/1.1 200 OK\r\n" + chunks + "2\r\nhi\r\n0\r\nA: b\r\n\r\n!", false, "200 chunked -1 hi A: b", "!"},
		"until the end":              {"HTTP/1.1 200 OK\r\n\r\nhi", false, "200 close -1 end hi", ""},
		"until the end in 1.0":       {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhi", false, "200 close -1 end hi", ""},
		"length in 1.0":              {"HTTP/1.0 200 OK\r\n" + length + "hi", false, "200 length 2 end hi", ""},
		"length in 1.0 that stays":   {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + length + "hi!", false, "200 length 2 hi", "!"},
		"close":                      {"HTTP/1.1 200 OK\r\nConnection: close\r\n" + length + "hi", false, "200 length 2 end hi", ""},
		"no reason":                  {"HTTP/1.1 200 \r\n" + length + "hi", false, "200 length 2 hi", ""},
		"no reason, no space":        {"HTTP/1.1 200\r\n" + length + "hi", false, "200 length 2 hi", ""},
		"a reason with high bytes":   {"HTTP/1.1 404 Non trouv\xe9\t!\r\n" + length + "hi", false, "404 length 2 hi", ""},
		"to HEAD, length":            {"HTTP/1.1 200 OK\r\n" + length + "!", true, "200 none 2", "!"},
		"to HEAD, length of nothing": {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n!", true, "200 none 0", "!"},
		"to HEAD, chunked":           {"HTTP/1.1 200 OK\r\n" + chunks + "!", true, "200 none -1", "!"},
		"to HEAD, nothing said":      {"HTTP/1.1 200 OK\r\n\r\n!", true, "200 none -1", "!"},
		"304 with length":            {"HTTP/1.1 304 Not Modified\r\n" + length + "!", false, "304 none 2", "!"},
		"304 with chunked":           {"HTTP/1.1 304 Not Modified\r\n" + chunks + "!", false, "304 none -1", "!"},
		"304":                        {"HTTP/1.1 304 Not Modified\r\n\r\n!", false, "304 none -1", "!"},
		"204":                        {"HTTP/1.1 204 No Content\r\n\r\n!", false, "204 none 0", "!"},
		"204 with length of nothing": {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n!", false, "204 none 0", "!"},
		"204 that states a body":     {"HTTP/1.1 204 No Content\r\n" + length + "!", false, "204 none 0 end", "!"},
		"204 that states chunks":     {"HTTP/1.1 204 No Content\r\n" + chunks + "!", false, "204 none 0 end", "!"},
		"205":                        {"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n!", false, "205 none 0", "!"},
		"103":                        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n!", false, "103 none 0", "!"},
		"101":                        {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n!", false, "101 none 0 websocket", "!"},
		"101 to two at once":         {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n!", false, "101 none 0", "!"},
		"101 to a list":              {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket, x\r\n\r\n!", false, "101 none 0 websocket, x", "!"},
		"what Apache offers":         {"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2,h2c\r\n" + length + "hi", false, "200 length 2 h2,h2c hi", ""},
		"an answer that expects":     {"HTTP/1.1 200 OK\r\nExpect: tea\r\nHost: a\r\nHost: b\r\n" + length + "hi", false, "200 length 2 hi", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEverySplit(test.wire, func(wire io.Reader) {
				r := reading(wire, 64)
				g, err := readResponse(r, test.toHead)
				if err != nil {
					t.Fatal(err)
				}
				if said := describeAnswer(&g); said != test.want {
					t.Errorf("got %q, want %q", said, test.want)
				}
				r.Release()
				var left strings.Builder
				left.WriteString(strings.Repeat("!", r.Buffered()))
				if _, err := io.Copy(&left, wire); err != nil || left.String() != test.left {
					t.Errorf("behind it is %q, %v; want %q", left.String(), err, test.left)
				}
			})
		})
	}
}

func describeAnswer(g *got) string {
	r := &g.response
	framing := [...]string{http1.None: "none", http1.Length: "length", http1.Chunked: "chunked", http1.UntilClose: "close"}[r.Framing]
	said := fmt.Sprintf("%d %s %d", r.Status, framing, r.ContentLength)
	if r.Close {
		said += " end"
	}
	for _, more := range []string{r.Upgrade, g.body, fields(&g.trailer)} {
		if more != "" {
			said += " " + more
		}
	}
	return said
}

func TestEveryRegisteredStatusHasItsPhrase(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{100: "Continue", 200: "OK", 431: "Request Header Fields Too Large", 511: "Network Authentication Required", 99: "", 299: "", 512: "", -1: ""} {
		if got := http1.StatusText(status); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
}
