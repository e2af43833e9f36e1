package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// host is the one that attacks ask for; each arena has one of its own, of the same length.
	host = "arena00.test"
	// own is the path that an attack's request asks for, and evil the one that it tries to smuggle; each attack gets numbers of its own of the
	// same length, so that lengths hold.
	own  = "/a000000"
	evil = "/e000000"

	// patience is how long an answer, or the end of a connection, may take; the product promises milliseconds.
	patience = 10 * time.Second
	// attackers is how many attacks run at a time.
	attackers = 16
)

// Statuses of refusals; a few mistakes can be seen as one or as another.
const (
	bad     = "400"
	unknown = "400|501"
	cut     = "400|408" // of a request without its end
)

// attack is bytes that a client sends, and what is to come of them.
type attack struct {
	name string
	wire string
	// answers are the statuses that are to come back, each one or several ("400|501"). After a refusal the connection ends,
	answers []string
	// unless it may stay: it is plain where the request that was refused ends.
	stays bool
	// reach is what is to reach the service, "POST /a000000 body"; nil: as many requests as were answered 200, none of them evil.
	reach []string
	// dribbles tells that each byte is sent by itself.
	dribbles bool
	// incomplete tells that the client ends its side behind the wire. The connection then ends, or a refusal comes before.
	incomplete bool
}

// at returns the attack, as the n-th one in an arena.
func (a attack) at(f *arena, n int) attack {
	number := strings.NewReplacer(own, fmt.Sprintf("/a%06d", n), evil, fmt.Sprintf("/e%06d", n), "arena00", f.name, "ARENA00", strings.ToUpper(f.name))
	a.wire = number.Replace(a.wire)
	a.reach = slices.Clone(a.reach)
	for i := range a.reach {
		a.reach[i] = number.Replace(a.reach[i])
	}
	return a
}

// arena is an edge with a service that records.
type arena struct {
	name    string // of its host, without the domain
	edge    string
	service *harness.RawUpstream
}

// arenas counts them.
var arenas atomic.Int32

func newArena(t *testing.T, answer func(harness.RawRequest) harness.RawAnswer) arena {
	t.Helper()
	s := product.Story(t)
	service := harness.NewRawUpstream(t, answer)
	name := fmt.Sprintf("arena%02d", arenas.Add(1)%100) // 100 and more would be another length
	s.Route(sallyport.Route{Name: s.Name("all"), Hosts: []string{name + ".test"}, Service: s.Service("all", service.Address).Name, Paths: harness.Below("/"), Public: true})
	return arena{name: name, edge: strings.TrimPrefix(s.Edges()[0].URL, "http://"), service: service}
}

// inEveryWay adds to each attack that isn't long one that sends the same byte by byte: each byte may be the last of a read.
func inEveryWay(attacks []attack) []attack {
	const long = 1000
	all := slices.Clone(attacks)
	for _, a := range attacks {
		if len(a.wire) < long {
			a.name, a.dribbles = a.name+", byte by byte", true
			all = append(all, a)
		}
	}
	return all
}

// withstands fails the test unless every attack ends as it says.
func withstands(t *testing.T, attacks []attack) {
	t.Helper()
	field := newArena(t, nil)
	next := make(chan int)
	statuses := make([][]int, len(attacks))
	var running sync.WaitGroup
	for range attackers {
		running.Go(func() {
			for n := range next {
				a := attacks[n].at(&field, n)
				got, err := field.run(t.Context(), a)
				statuses[n] = got
				if err == nil {
					err = a.judge(got)
				}
				if err != nil {
					t.Errorf("%s: %v\n\t%q", a.name, err, short(a.wire))
				}
			}
		})
	}
	for n := range attacks {
		next <- n
	}
	close(next)
	running.Wait()
	field.judge(t, attacks, statuses)
	t.Logf("%d attacks", len(attacks))
}

func short(wire string) string {
	const most = 300
	if len(wire) > most {
		return wire[:most] + "…"
	}
	return wire
}

// run sends an attack, and returns the statuses of what comes back. Where the connection stays, a harmless request goes behind: whatever the edge
// has held back comes before the answer to that.
func (f *arena) run(ctx context.Context, a attack) (statuses []int, _ error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", f.edge)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := a.send(conn); err != nil && !isReset(err) {
		return nil, err
	}
	if a.incomplete {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !isReset(err) {
			return nil, err
		}
	}
	from := bufio.NewReader(conn)
	method, _, _ := strings.Cut(strings.TrimLeft(a.wire, "\r\n"), " ")
	probed := a.incomplete
	for {
		if !probed && len(statuses) == len(a.answers) && (a.stays || statuses[len(statuses)-1] < http.StatusBadRequest) {
			probed = true
			if _, err := io.WriteString(conn, "GET /probe HTTP/1.1\r\nHost: "+f.name+".test\r\nConnection: close\r\n\r\n"); err != nil && !a.stays {
				return statuses, fmt.Errorf("the connection ends behind %v: %w", statuses, err)
			}
			method = http.MethodGet
		}
		status, body, err := readAnswer(from, method)
		switch {
		case isTheEnd(err):
			if probed && !a.incomplete && !a.stays {
				return statuses, fmt.Errorf("the connection ends behind %v before the probe was answered", statuses)
			}
			return statuses, nil
		case err != nil:
			return statuses, fmt.Errorf("behind %v: %w", statuses, err)
		case probed && !a.incomplete:
			if status != http.StatusOK || body != "GET /probe 0" {
				return statuses, fmt.Errorf("behind %v the harmless request was answered %d %q", statuses, status, body)
			}
			return statuses, nil
		}
		statuses = append(statuses, status)
	}
}

func (a attack) send(conn net.Conn) error {
	portion := max(len(a.wire), 1)
	if a.dribbles {
		portion = 1 // which TCP sends at once: Go switches Nagle's algorithm off
	}
	for part := range slices.Chunk([]byte(a.wire), portion) {
		if _, err := conn.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// readAnswer reads a final answer.
func readAnswer(from *bufio.Reader, method string) (status int, body string, _ error) {
	for {
		answer, err := http.ReadResponse(from, &http.Request{Method: method})
		if err != nil {
			return 0, "", err
		}
		all, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return 0, "", err
		}
		if answer.StatusCode >= http.StatusOK || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer.StatusCode, string(all), nil
		}
	}
}

// isTheEnd tells whether the edge has ended the connection.
func isTheEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err)
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// judge compares the answers.
func (a attack) judge(statuses []int) error {
	if a.incomplete && len(statuses) == len(a.answers)-1 {
		return matches(statuses, a.answers[:len(statuses)]) // nobody waits for the refusal any more
	}
	return matches(statuses, a.answers)
}

func matches(statuses []int, answers []string) error {
	ok := len(statuses) == len(answers)
	for i := 0; ok && i < len(answers); i++ {
		ok = slices.Contains(strings.Split(answers[i], "|"), strconv.Itoa(statuses[i]))
	}
	if !ok {
		return fmt.Errorf("answered %v, want %v", statuses, answers)
	}
	return nil
}

// judge compares what reached the service.
func (f *arena) judge(t *testing.T, attacks []attack, statuses [][]int) {
	t.Helper()
	f.canonical(t)
	reached := map[string][]string{}
	for _, r := range f.service.Requests() {
		if len(r.Target) < len(own) || r.Target == "/probe" {
			continue
		}
		said := r.Method + " " + r.Target + " " + r.Body
		if trailers := strings.Join(r.Trailers, "|"); trailers != "" {
			said += " " + trailers
		}
		reached[r.Target[2:len(own)]] = append(reached[r.Target[2:len(own)]], said)
	}
	for n, a := range attacks {
		a = a.at(f, n)
		got := reached[fmt.Sprintf("%06d", n)]
		if a.reach != nil {
			if !slices.Equal(got, a.reach) {
				t.Errorf("%s: the service was reached by %q, want %q\n\t%q", a.name, got, a.reach, short(a.wire))
			}
			continue
		}
		served := 0
		for _, status := range statuses[n] {
			if status == http.StatusOK {
				served++
			}
		}
		if len(got) != served || slices.ContainsFunc(got, func(said string) bool { return strings.Contains(said, " /e") }) {
			t.Errorf("%s: answered %v, and the service was reached by %q\n\t%q", a.name, statuses[n], got, short(a.wire))
		}
	}
}
