package listener

import (
	"bytes"
	"log/slog"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// plain answers from memory.
type plain struct {
	pool pipeline.Pool
	text []byte
}

func (p *plain) Acquire() *pipeline.Exchange  { return p.pool.Get() }
func (p *plain) Finish(ex *pipeline.Exchange) { p.pool.Put(ex) }

func (p *plain) Serve(ex *pipeline.Exchange) {
	_ = ex.Reply(200, p.text)
	ex.Response.Header.Add("Content-Type", "text/plain")
}

const plainRequest = "GET /orders/1?page=2 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"

// loop returns a function that makes one request on a connection over loopback.
func loop(tb testing.TB, h Handler) (ask func()) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	e := newEngine(Config{Handler: h, Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
	c := newConn(e, accepted)
	e.remember(c)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.serve(nil)
	}()
	tb.Cleanup(func() {
		_ = client.Close()
		<-ended
	})
	request, answer := []byte(plainRequest), make([]byte, 64<<10)
	return func() {
		if _, err := client.Write(request); err != nil {
			tb.Fatal(err)
		}
		n, want := 0, -1
		for n != want {
			m, err := client.Read(answer[n:])
			if err != nil {
				tb.Fatal(err)
			}
			n += m
			if head := bytes.Index(answer[:n], []byte("\r\n\r\n")); head >= 0 && want < 0 {
				want = head + 4 + len(h.(*plain).text)
			}
		}
	}
}

func BenchmarkPlainRequest(b *testing.B) {
	ask := loop(b, &plain{text: []byte("hello")})
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}
