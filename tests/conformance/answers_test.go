package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

// Outcomes of an answer.
const (
	broken  = "broken" // it begins, and the connection ends before its end
	gateway = "502"    // the edge answers itself
	// begun is what becomes of an answer whose body is malformed: what the edge has sent can't be taken back.
	begun = gateway + "|" + broken
)

const (
	ok     = "HTTP/1.1 200 OK\r\n"
	okBody = ok + "Content-Length: 2\r\n\r\nok"
	// poison is an answer that nobody has asked for.
	poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: yes\r\n\r\npoison"
)

// answer is what a hostile service sends, and what the client is to get.
type answer struct {
	name   string
	method string // GET if empty
	wire   string
	close  bool // the service ends the connection behind it
	// want is an outcome, or several: "200 body", "502", "broken".
	want string
	// later is sent once the client has its answer.
	later string
}

func answers() []answer {
	all := []answer{
		{name: "a plain one", wire: okBody, want: "200 ok"},
		{name: "chunked", wire: ok + chunkedTE + "\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n", want: "200 ok"},
		{name: "until the end", wire: ok + "\r\nok", close: true, want: "200 ok"},
		{name: "1.0, until the end", wire: "HTTP/1.0 200 OK\r\n\r\nok", close: true, want: "200 ok"},
		{name: "hints first", wire: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + okBody, want: "200 ok"},
		{name: "continue first", wire: "HTTP/1.1 100 Continue\r\n\r\n" + okBody, want: "200 ok"},

		// What comes behind an answer is nobody's.
		{name: "another answer behind", wire: okBody + poison, want: "200 ok"},
		{name: "another answer behind chunks", wire: ok + chunkedTE + "\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: "200 ok"},
		{name: "another answer behind nothing", wire: ok + "Content-Length: 0\r\n\r\n" + poison, want: "200 "},
		{name: "an empty line behind", wire: okBody + "\r\n", want: "200 ok"},
		{name: "an answer behind, later", wire: okBody, later: poison, want: "200 ok"},
		{name: "a byte behind, later", wire: okBody, later: "H", want: "200 ok"},
		{name: "more than its length", wire: ok + "Content-Length: 2\r\n\r\nokay", want: "200 ok"},
		{name: "204 with a body", wire: "HTTP/1.1 204 No Content\r\n\r\n" + poison, want: "204 "},
		{name: "204 with a length and a body", wire: fmt.Sprintf("HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n", len(poison)) + poison, want: "204 |502"},
		{name: "204 with chunks", wire: "HTTP/1.1 204 No Content\r\n" + chunkedTE + "\r\n" + chunk(poison) + "0\r\n\r\n", want: "204 |502"},
		{name: "304 with a body", wire: fmt.Sprintf("HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n", len(poison)) + poison, want: "304 "},
		{name: "304 with chunks", wire: "HTTP/1.1 304 Not Modified\r\n" + chunkedTE + "\r\n" + chunk(poison) + "0\r\n\r\n", want: "304 "},
		{name: "a body to HEAD", method: "HEAD", wire: fmt.Sprintf(ok+"Content-Length: %d\r\n\r\n", len(poison)) + poison, want: "200 "},
		{name: "chunks to HEAD", method: "HEAD", wire: ok + chunkedTE + "\r\n" + chunk(poison) + "0\r\n\r\n", want: "200 "},
		{name: "a body to HEAD, later", method: "HEAD", wire: fmt.Sprintf(ok+"Content-Length: %d\r\n\r\n", len(poison)), later: poison, want: "200 "},
		{name: "an answer without an end behind", wire: okBody + ok, want: "200 ok"},
		{name: "a late 408", wire: okBody, later: "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", want: "200 ok"},

		// Framing that has two readings.
		{name: "CL and TE", wire: ok + "Content-Length: 2\r\n" + chunkedTE + "\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: gateway},
		{name: "TE and CL", wire: ok + chunkedTE + "Content-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: gateway},
		{name: "two lengths", wire: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok" + poison, want: gateway},
		{name: "the same length twice", wire: ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok" + poison, want: gateway},
		{name: "a list of lengths", wire: ok + "Content-Length: 2, 2\r\n\r\nok" + poison, want: gateway},
		{name: "TE in 1.0", wire: "HTTP/1.0 200 OK\r\n" + chunkedTE + "\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: gateway},
		{name: "TE twice", wire: ok + chunkedTE + chunkedTE + "\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: gateway},
		{name: "hints with a body", wire: "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello" + okBody, want: gateway},
		{name: "continue with chunks", wire: "HTTP/1.1 100 Continue\r\n" + chunkedTE + "\r\n0\r\n\r\n" + okBody, want: gateway},
		{name: "a twin of a length", wire: ok + "Content_Length: 2\r\n\r\nok", want: gateway, close: true},

		// Heads that have two readings, or no end.
		{name: "switching protocols unasked", wire: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + poison, want: gateway},
		{name: "LF alone", wire: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", want: gateway},
		{name: "LF behind a field", wire: ok + "X: y\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "CR in a value", wire: ok + "X: y\rZ: w\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "a folded field", wire: ok + "X: y\r\n z\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "a folded length", wire: ok + "Content-Length:\r\n 2\r\n\r\nok", want: gateway},
		{name: "a space before a colon", wire: ok + "Content-Length : 2\r\n\r\nok", want: gateway},
		{name: "NUL in a value", wire: ok + "X: y\x00\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "NUL in a name", wire: ok + "X\x00: y\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "no colon", wire: ok + "X\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "NUL in the reason", wire: "HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "no status", wire: "HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "a status of two digits", wire: "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "a status of four digits", wire: "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "a status of none", wire: "HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "HTTP/0.9", wire: "ok", close: true, want: gateway},
		{name: "HTTP/2", wire: "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", want: gateway},
		{name: "frames of HTTP/2", wire: "\x00\x00\x00\x04\x00\x00\x00\x00\x00", close: true, want: gateway},
		{name: "another protocol", wire: "SSH-2.0-OpenSSH_9.9\r\n", close: true, want: gateway},
		{name: "an empty line before", wire: "\r\n" + okBody, want: gateway},
		{name: "nothing", close: true, want: gateway},
		{name: "half a head", wire: ok + "Content-Le", close: true, want: gateway},
		{name: "half a head behind hints", wire: "HTTP/1.1 103 Early Hints\r\n\r\n" + ok, close: true, want: gateway},
		{name: "a head that is too large", wire: ok + "X: " + strings.Repeat("y", 2_000_000) + "\r\nContent-Length: 2\r\n\r\nok", want: gateway, close: true},
		{name: "a reason that is too long", wire: "HTTP/1.1 200 " + strings.Repeat("y", 2_000_000) + "\r\nContent-Length: 2\r\n\r\nok", want: gateway, close: true},
		{name: "too many fields", wire: ok + strings.Repeat("X: y\r\n", 20_000) + "Content-Length: 2\r\n\r\nok", want: gateway, close: true},
		{name: "a flood of continues", wire: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10_000) + okBody, want: gateway, close: true},
		{name: "a flood of hints", wire: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 10_000) + okBody, want: gateway, close: true},
		{name: "a flood of what is none", wire: strings.Repeat("HTTP/1.1 199 Hm\r\n\r\n", 10_000) + okBody, want: gateway, close: true},

		// Bodies that don't end as they say.
		{name: "less than its length", wire: ok + "Content-Length: 5\r\n\r\nok", close: true, want: begun},
		{name: "no last chunk", wire: ok + chunkedTE + "\r\n2\r\nok\r\n", close: true, want: begun},
		{name: "half a last chunk", wire: ok + chunkedTE + "\r\n2\r\nok\r\n0\r\n", close: true, want: begun},
		{name: "an extension", wire: ok + chunkedTE + "\r\n2;a=b\r\nok\r\n0\r\n\r\n" + poison, want: begun},
		{name: "a size with LF", wire: ok + chunkedTE + "\r\n2\nok\r\n0\r\n\r\n" + poison, want: begun},
		{name: "a size that overflows", wire: ok + chunkedTE + "\r\n10000000000000002\r\nok\r\n0\r\n\r\n" + poison, want: begun},
		{name: "a size with 0x", wire: ok + chunkedTE + "\r\n0x2\r\nok\r\n0\r\n\r\n" + poison, want: begun},
		{name: "data without an end", wire: ok + chunkedTE + "\r\n2\r\nokay\r\n0\r\n\r\n" + poison, want: begun},
		{name: "an answer instead of trailers", wire: ok + chunkedTE + "\r\n2\r\nok\r\n0\r\n" + poison, want: begun},
		{name: "a length behind", wire: ok + chunkedTE + "\r\n2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n" + poison, want: begun},
		{name: "a trailer with LF", wire: ok + chunkedTE + "\r\n2\r\nok\r\n0\r\nX: y\n\r\n" + poison, want: begun},
	}
	for _, value := range []string{"", "x", "-2", "+2", "0x2", "2.0", "2 2", "2;", "\"2\"", "99999999999999999999", "9223372036854775808", "2\x00", "2\x0b"} {
		all = append(all, answer{name: fmt.Sprintf("the length %q", value), wire: ok + "Content-Length: " + value + "\r\n\r\nok" + poison, want: gateway})
	}
	for _, value := range []string{"", "identity", "gzip", "xchunked", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked;x", "chunked\x0b", "\x0bchunked", "chunked,", "\"chunked\"", "chunked\x00", "chunked\xa0"} {
		all = append(all, answer{name: fmt.Sprintf("the coding %q", value), wire: ok + "Transfer-Encoding: " + value + "\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison, want: gateway})
	}
	for _, line := range []string{"Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "\x0bTransfer-Encoding: chunked", "Transfer-Encoding\x00: chunked"} {
		all = append(all, answer{name: fmt.Sprintf("%q", line), wire: ok + "Content-Length: 2\r\n" + line + "\r\n\r\nok" + poison, want: gateway})
	}
	return all
}

// What a hostile service sends harms the client who asked it, at the most. Clients ask one behind the other, so that each uses the connection
// that was poisoned before, if it is used again at all.
func TestNoClientGetsWhatWasMeantForAnother(t *testing.T) {
	t.Parallel()
	field := newArena(t, hostile(answers()))
	for n, a := range answers() {
		field.endure(t, n, a)
		if a.later != "" {
			field.service.Inject(a.later)
		}
		for next := range 2 {
			field.serves(t, fmt.Sprintf("/next/%d/%d", n, next), a)
		}
	}
	field.canonical(t)
}

// The same while many ask, over connections that come and go.
func TestNoClientGetsWhatWasMeantForAnotherAtTheSameTime(t *testing.T) {
	t.Parallel()
	field := newArena(t, hostile(answers()))
	var running sync.WaitGroup
	for worker := range attackers / 2 {
		running.Go(func() {
			for n, a := range answers() {
				if n%2 == worker%2 {
					field.endure(t, n, a)
				}
				field.serves(t, fmt.Sprintf("/next/%d/%d", n, worker), a)
			}
		})
	}
	running.Wait()
	field.canonical(t)
}

// hostile is a service that answers a path with a number as it is told, and others with what was asked.
func hostile(all []answer) func(harness.RawRequest) harness.RawAnswer {
	return func(r harness.RawRequest) harness.RawAnswer {
		var n int
		if _, err := fmt.Sscanf(r.Target, "/a%06d", &n); err != nil {
			return harness.Echo(r)
		}
		return harness.RawAnswer{Wire: all[n].wire, Close: all[n].close}
	}
}

// endure asks for a hostile answer.
func (f *arena) endure(t *testing.T, n int, a answer) {
	t.Helper()
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	got, err := f.ask(t.Context(), method, fmt.Sprintf("/a%06d", n))
	if err != nil || !among(got, a.want) {
		t.Errorf("%s: the client got %q, %v; want %q\n\t%q", a.name, got, err, a.want, short(a.wire))
	}
}

// serves asks for a harmless answer behind a hostile one.
func (f *arena) serves(t *testing.T, path string, behind answer) {
	t.Helper()
	if got, err := f.ask(t.Context(), http.MethodGet, path); err != nil || got != "200 GET "+path+" 0" {
		t.Errorf("behind %s the next client got %q, %v\n\t%q", behind.name, got, err, short(behind.wire))
	}
}

func (f *arena) canonical(t *testing.T) {
	t.Helper()
	for _, violation := range f.service.Violations() {
		t.Errorf("the service was sent a request that isn't canonical: %s", violation)
	}
}

func among(got, want string) bool {
	for one := range strings.SplitSeq(want, "|") {
		if got == one || one == gateway && strings.HasPrefix(got, gateway+" ") {
			return true
		}
	}
	return false
}

// canonicalHead is what heads of answers look like that have one reading.
var canonicalHead = regexp.MustCompile("^HTTP/1\\.1 [1-5][0-9][0-9] [^\\x00-\\x1f\\x7f]*\r\n([-!#$%&'*+.^_`|~0-9A-Za-z]+: [^\\x00-\\x08\\x0a-\\x1f\\x7f]*\r\n)*\r\n")

// ask asks for a path on a connection of its own, and returns status and body, or that the answer is broken.
func (f *arena) ask(ctx context.Context, method, path string) (outcome string, _ error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", f.edge)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, method+" "+path+" HTTP/1.1\r\nHost: "+f.name+".test\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	wire, err := io.ReadAll(conn)
	if err != nil && !isReset(err) {
		return "", fmt.Errorf("behind %q: %w", short(string(wire)), err)
	}
	if len(wire) == 0 {
		return broken, nil
	}
	if !canonicalHead.Match(wire) {
		return "", fmt.Errorf("the answer isn't canonical: %q", short(string(wire)))
	}
	head := strings.ToLower(string(canonicalHead.Find(wire)))
	if strings.Count(head, "\r\ncontent-length: ")+strings.Count(head, "\r\ntransfer-encoding: ") > 1 {
		return "", fmt.Errorf("the answer has two framings: %q", head)
	}
	from := bufio.NewReader(strings.NewReader(string(wire)))
	status, body, err := readAnswer(from, method)
	if isTheEnd(err) {
		return broken, nil
	}
	if err != nil {
		return "", err
	}
	if rest, _ := io.ReadAll(from); len(rest) > 0 {
		return "", fmt.Errorf("behind %d %q comes %q", status, body, rest)
	}
	return fmt.Sprintf("%d %s", status, body), nil
}
