//go:build race

package http1_test

import (
	"strings"
	"testing"
)

// Whoever keeps a string beyond its exchange sees it at once, in tests: also if the head was left in a buffer that was outgrown.
func TestStringsThatAreKeptTooLongAreSpoilt(t *testing.T) {
	t.Parallel()
	for _, buffer := range []int{64, 4096} {
		data := strings.Repeat("x", 9000)
		r := reading(strings.NewReader("POST /path HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2328\r\n"+data+"\r\n0\r\n\r\n"), buffer)
		g, err := readRequest(r)
		if err != nil || g.request.Target != "/path" {
			t.Fatalf("%q, %v", g.request.Target, err)
		}
		r.Release()
		if g.request.Target != "\xdb\xdb\xdb\xdb\xdb" {
			t.Errorf("with a buffer of %d bytes the target is still %q", buffer, g.request.Target)
		}
	}
}
