package upstream

import (
	"bufio"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

// FuzzAnswers has a target say anything in pieces: the request ends, and the next one gets its own answer.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		ok("fine"), ok("fine") + ok("more"), "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok(""), "HTTP/1.0 200 OK\r\n\r\nuntil the end", switched + "tunnel", "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", "nonsense",
	} {
		f.Add(seed, uint8(3), uint8(0))
		f.Add(seed, uint8(200), uint8(1))
		f.Add(seed, uint8(9), uint8(2))
	}
	var saying atomic.Pointer[string]
	var piece atomic.Int32
	const own = "the answer to the second request"
	r := node(f, Config{})
	address := service(f, func(_ int, conn net.Conn, from *bufio.Reader) {
		for take(from) {
			said := saying.Swap(nil)
			if said == nil {
				_, _ = conn.Write([]byte(ok(own)))
				continue
			}
			for text := *said; text != ""; {
				n := min(len(text), int(piece.Load())+1)
				if _, err := conn.Write([]byte(text[:n])); err != nil {
					return
				}
				text = text[n:]
			}
			if !whole(*said) {
				return // else the request would wait for what doesn't come
			}
		}
	})
	s := spec(snapshot.Target{Address: address, Weight: 1})
	s.Try = patience
	pool := r.Pool(s)
	f.Fuzz(func(t *testing.T, said string, size, method uint8) {
		saying.Store(&said)
		piece.Store(int32(size))
		ex := request(t.Context(), "/")
		switch method % 3 {
		case 1:
			ex.Request.Method = "HEAD"
		case 2:
			ex.Request.Method, ex.Request.ContentLength, ex.Request.Body = "POST", -1, strings.NewReader("body")
		}
		begun := time.Now()
		answer(pool, ex)
		if took := time.Since(begun); took > patience/2 {
			t.Errorf("took %v", took)
		}
		saying.Store(nil)
		wantAnswer(t, pool, request(t.Context(), "/next"), "200 "+own)
	})
}

// whole tells of the one answer that the fuzzed target goes on behind.
func whole(said string) bool { return said == ok("fine") }
