package upstream

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

// echoing is a server that reads little and allocates nothing: it answers each read with the same bytes.
func echoing(t testing.TB, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer, bytesOut := make([]byte, 64<<10), []byte(answer)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					if !bytes.Contains(buffer[:n], []byte("\r\n\r\n")) {
						continue // the rest of a body
					}
					if _, err := conn.Write(bytesOut); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// inMemory is a body that lies in memory whole.
type inMemory struct {
	data []byte
	at   int
}

func (b *inMemory) Front() []byte { return b.data[b.at:] }
func (b *inMemory) Discard(n int) { b.at += n }
func (b *inMemory) Read(p []byte) (int, error) {
	n := copy(p, b.data[b.at:])
	if b.at += n; b.at == len(b.data) {
		return n, io.EOF
	}
	return n, nil
}

const shortAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello, world"

func plainRequest(ex *pipeline.Exchange) {
	ex.Request.Method, ex.Request.Host, ex.Request.ForwardPath, ex.Request.Query = "GET", "api.example", "/v1/things", "a=b"
	ex.Request.Body = noBody{}
	ex.Request.Header.Add("Accept", "*/*")
	ex.Request.Header.Add("User-Agent", "test")
}

func TestAPlainRequestAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	long := strings.Repeat("x", 10<<10)
	for name, test := range map[string]struct {
		answer string
		body   int
	}{
		"without bodies":    {answer: "HTTP/1.1 204 No Content\r\n\r\n"},
		"with an answer":    {answer: shortAnswer},
		"with 10 KB, twice": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n" + long, body: 10 << 10},
		"with a short body": {answer: shortAnswer, body: 100},
	} {
		t.Run(name, func(t *testing.T) {
			pool := one(t, spec(snapshot.Target{Address: echoing(t, test.answer), Weight: 1}))
			var exchanges pipeline.Pool
			body := &inMemory{data: []byte(long[:test.body])}
			ex := exchanges.Get()
			ask := func() {
				ex.Reset()
				plainRequest(ex)
				if test.body > 0 {
					body.at = 0
					ex.Request.Method, ex.Request.Body, ex.Request.ContentLength = "POST", body, int64(test.body)
				}
				if err := pool.Send(ex); err != nil {
					t.Fatal(err)
				}
				answer := ex.Response.Body.(pipeline.Fronted)
				answer.Discard(len(answer.Front()))
				if err := ex.Response.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			ask()
			if allocs := testing.AllocsPerRun(200, ask); allocs > 0 {
				t.Errorf("%v allocations per request", allocs)
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	pool := one(b, spec(snapshot.Target{Address: echoing(b, shortAnswer), Weight: 1}))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var exchanges pipeline.Pool
		for pb.Next() {
			ex := exchanges.Get()
			plainRequest(ex)
			if err := pool.Send(ex); err != nil {
				b.Error(err)
				return
			}
			answer := ex.Response.Body.(pipeline.Fronted)
			answer.Discard(len(answer.Front()))
			_ = ex.Response.Body.Close()
			exchanges.Put(ex)
		}
	})
}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
