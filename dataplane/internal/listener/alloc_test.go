//go:build !race

package listener

import (
	"bytes"
	"net"
	"runtime"
	"testing"
)

// With the race detector pools forget on purpose.
func TestAPlainRequestAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 100, 10_000} {
		ask := loop(t, &plain{text: bytes.Repeat([]byte("x"), size)})
		ask()
		if n := testing.AllocsPerRun(200, ask); n > 0 {
			t.Errorf("a request with an answer of %d bytes allocates %.0f times", size, n)
		}
	}
}

func TestAnIdleConnectionHoldsNoBufferAndLittleMemory(t *testing.T) {
	const many, most = 500, 8 << 10
	counters := new(Counters)
	address := startWith(t, Config{Handler: new(echo), Counters: counters})
	var before, after runtime.MemStats
	clients := make([]*net.TCPConn, many)
	for i := range clients {
		clients[i] = dial(t, address)
	}
	eventually(t, "all are open", func() bool { return counters.Stats().Open == many })
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, c := range clients {
		say(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	for _, c := range clients {
		expect(t, c, []byte("HTTP/1.1 200"))
	}
	eventually(t, "all idle again", func() bool { return counters.Stats().Idle == many })
	e := counters.engine.Load()
	e.each(func(c *conn) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.phase == inIdle && c.reader.Holds() {
			t.Error("an idle connection holds a buffer")
		}
	})
	runtime.GC()
	runtime.GC() // what pools keep goes with the second one
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	if grown > many*most {
		t.Errorf("a connection that has served a request takes %d bytes more, want at most %d", grown/many, most)
	}
	t.Logf("%d bytes more for each of %d connections that have served a request", grown/many, many)
}
