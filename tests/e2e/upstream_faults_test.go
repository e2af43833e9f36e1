package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// fault is what a service does wrong with a request whose head and body it has read.
type fault struct {
	name string
	does func(*harness.Wire)
	// status and code that the client is answered; code "": with what the service said.
	status int
	code   string
	// breaksOff says that the client sees an answer that visibly isn't whole.
	breaksOff bool
}

// longestBody is what a service with a fault in its body says at the most.
const longestBody = "only this and more"

func says(text string) func(*harness.Wire) { return func(w *harness.Wire) { _ = w.Say(text) } }

// faults are all in one service; the last part of the path chooses.
func faults() []fault {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	broken := func(name, text string) fault {
		return fault{name: name, does: says(text), status: http.StatusBadGateway, code: "upstream_invalid_response"}
	}
	cut := func(name string, does func(*harness.Wire)) fault {
		return fault{name: name, does: does, breaksOff: true}
	}
	return []fault{
		{name: "reset-before-the-head", does: (*harness.Wire).Reset, status: http.StatusBadGateway, code: "upstream_unreachable"},
		{name: "closed-before-the-head", does: func(*harness.Wire) {}, status: http.StatusBadGateway, code: "upstream_unreachable"},
		{name: "silent", does: func(w *harness.Wire) { _, _ = w.AwaitEnd() }, status: http.StatusGatewayTimeout, code: "upstream_timeout"},
		broken("closed-in-the-head", "HTTP/1.1 200 OK\r\nContent-Ty"),
		{name: "reset-in-the-head", does: func(w *harness.Wire) {
			_ = w.Say("HTTP/1.1 200 OK\r\nContent-Ty")
			w.Reset()
		}, status: http.StatusBadGateway, code: "upstream_invalid_response"},
		broken("no-http", "SSH-2.0-OpenSSH_9.9\r\n\r\n"),
		broken("bare-lf", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
		broken("length-and-coding", head+"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
		broken("two-lengths", head+"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
		broken("wrong-coding", head+"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
		broken("space-before-colon", head+"Content-Length : 2\r\n\r\nok"),
		broken("folded", head+"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok"),
		broken("unasked-switch", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		broken("interim-flood", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000)+head+"Content-Length: 2\r\n\r\nok"),
		broken("many-fields", "HTTP/1.1 200 OK\r\n"+strings.Repeat("X-A: b\r\n", 5000)+"Content-Length: 2\r\n\r\nok"),
		{name: "endless-head", does: endlessHead, status: http.StatusBadGateway, code: "upstream_invalid_response"},
		cut("short", says(head+"Content-Length: 100\r\n\r\nonly this")),
		cut("reset-in-the-body", func(w *harness.Wire) {
			_ = w.Say(head + "Content-Length: 100\r\n\r\nonly this")
			w.Reset()
		}),
		cut("reset-in-the-chunks", func(w *harness.Wire) {
			_ = w.Say(head + "Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")
			w.Reset()
		}),
		cut("chunks-without-an-end", says(head+"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")),
		cut("chunk-that-is-none", says(head+"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\nmore\r\n0\r\n\r\n")),
		cut("chunk-without-an-end", says(head+"Transfer-Encoding: chunked\r\n\r\n9\r\n"+longestBody)),
		{name: "long", status: http.StatusOK, does: func(w *harness.Wire) {
			_ = w.Say(head + "Content-Length: 9\r\n\r\nonly this" + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
			_, _ = w.AwaitEnd()
		}},
	}
}

// endlessHead goes on until nobody reads it.
func endlessHead(w *harness.Wire) {
	if w.Say("HTTP/1.1 200 OK\r\n") != nil {
		return
	}
	for w.Say("X-Filler: "+strings.Repeat("x", 1000)+"\r\n") == nil {
		continue
	}
}

// faulty is a service with all faults; whatever else is asked it answers with the target.
func faulty(t *testing.T) string {
	t.Helper()
	byName := map[string]fault{}
	for _, f := range faults() {
		byName["/"+f.name] = f
	}
	return harness.NewWireUpstream(t, func(w *harness.Wire) {
		for {
			asked, err := w.Request()
			if err != nil {
				return
			}
			if f, ok := byName[asked.Target]; ok {
				f.does(w)
				return
			}
			if w.Say("HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(asked.Target))+"\r\n\r\n"+asked.Target) != nil {
				return
			}
		}
	})
}

// Whatever a service does wrong is told by the right code, or by an answer that visibly breaks off; nothing of it reaches anybody else's
// answer, and those after it are served.
func TestWhatAServiceDoesWrongEndsWithItsOwnRequest(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	service, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateServiceParams{Wait: s.Wait()}, sallyport.Service{
		Name:     s.Name("faulty"),
		Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: faulty(t)}}, Timeouts: sallyport.Timeouts{ResponseHead: new("2s")}},
	})
	s.Must(service, err)
	s.Route(sallyport.Route{Name: s.Name("faulty"), Service: service.JSON201.Name, Paths: harness.Below("/"), Public: true})
	edge := s.Edges()[0]
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			goods(t, s, edge, f.name+"-before") // so that connections are there to be used again
			w := edge.Wire(t)
			if err := w.Say("GET /" + f.name + " HTTP/1.1\r\nHost: " + s.Host + "\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := w.Answer(http.MethodGet)
			switch {
			case f.breaksOff:
				if err == nil || !strings.HasPrefix(longestBody, string(answer.Body)) {
					t.Errorf("answered %s as if it were whole", answer)
				}
			case err != nil || answer.Status != f.status || answer.Code() != f.code:
				t.Errorf("answered %s, %v; want %d %s", answer, err, f.status, f.code)
			case f.code == "" && string(answer.Body) != "only this":
				t.Errorf("the answer says %q", answer.Body)
			}
			goods(t, s, edge, f.name+"-after")
		})
	}
}

// goods asks for what is answered well, at once and on connections of their own, and each must get its own answer.
func goods(t *testing.T, s *harness.Story, edge *harness.Edge, name string) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 4 {
				target := fmt.Sprintf("/good/%s/%d/%d", name, i, n)
				answer, err := edge.Do(t.Context(), harness.Request{Path: target, Host: s.Host})
				if err != nil || answer.Status != http.StatusOK || string(answer.Body) != target {
					t.Errorf("%s was answered %s, %v", target, answer, err)
				}
			}
		})
	}
	all.Wait()
}
