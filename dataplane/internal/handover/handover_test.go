package handover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long a test waits for what takes no time.
const bound = 30 * time.Second

// edge is a running process, as far as it is taken over from.
type edge struct {
	sockets   []Socket
	refusal   error
	at        Position
	connected bool
	keepFails int // so many times

	mu    sync.Mutex
	steps []string
	news  chan string
}

func (e *edge) note(step string) {
	e.mu.Lock()
	e.steps = append(e.steps, step)
	e.mu.Unlock()
	e.news <- step
}

func (e *edge) Offer(Peer) ([]Socket, error) {
	if e.refusal != nil {
		return nil, e.refusal
	}
	e.note("offer")
	return e.sockets, nil
}

func (e *edge) Position() Position { return e.at }
func (e *edge) Connected() bool    { return e.connected }

func (e *edge) Keep() error {
	e.mu.Lock()
	e.keepFails--
	fails := e.keepFails >= 0
	e.mu.Unlock()
	if fails {
		select {
		case e.news <- "fail":
		default:
		}
		return errors.New("the next process has the right to write")
	}
	e.note("keep")
	return nil
}

func (e *edge) Leave(Peer) { e.note("leave") }

// await returns at the next step, which must be this one.
func (e *edge) await(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-e.news:
			if got == want {
				return
			}
			if got != "fail" { // of which there are as many as there is time for
				t.Fatalf("the running process did %q, want %q", got, want)
			}
		case <-time.After(bound):
			t.Fatalf("the running process didn't %s", want)
		}
	}
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ho")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// runs lets an edge be asked in a folder until the test ends.
func runs(t *testing.T, dir string, e *edge, adjust func(*Giver)) (ended <-chan struct{}) {
	t.Helper()
	e.news = make(chan string, 16)
	g, err := Listen(dir, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(g)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return done
}

func tcp(t *testing.T) *net.TCPListener {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func asks(t *testing.T, dir string) *Taking {
	t.Helper()
	taking, err := Ask(t.Context(), dir, "next")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(taking.Close)
	return taking
}

func TestTheNextProcessAcceptsWhatWaitedInTheQueueOfTheOneBefore(t *testing.T) {
	dir, listener := shortDir(t), tcp(t)
	e := &edge{sockets: []Socket{{"clients", listener}}, at: Position{1, 7}}
	done := runs(t, dir, e, nil)
	waiting, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()

	taking := asks(t, dir)
	e.await(t, "offer")
	if taking.From.Process != os.Getpid() {
		t.Errorf("the running process is %d by the kernel's word, want %d", taking.From.Process, os.Getpid())
	}
	inherited, err := Listener(taking.Files["clients"])
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	if turn, _, err := taking.Ready(Position{1, 7}, true); !turn || err != nil {
		t.Fatalf("it isn't its turn: %v", err)
	}
	taking.Serving()
	e.await(t, "leave")
	<-done
	if err := listener.Close(); err != nil { // its copy; the socket stays
		t.Fatal(err)
	}
	conn, err := inherited.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != waiting.LocalAddr().String() {
		t.Errorf("got %s, want %s, which waited", conn.RemoteAddr(), waiting.LocalAddr())
	}
}

// A socket that was made to block would hold a thread per listener, and could not be closed any more.
func TestTheSocketOfTheRunningProcessGoesOnAsItWas(t *testing.T) {
	dir, listener := shortDir(t), tcp(t)
	e := &edge{sockets: []Socket{{"clients", listener}}}
	runs(t, dir, e, nil)
	taking := asks(t, dir)
	e.await(t, "offer")
	inherited, err := Listener(taking.Files["clients"])
	if err != nil {
		t.Fatal(err)
	}
	_ = inherited.Close()
	taking.Close()
	e.await(t, "keep")
	accepted := make(chan error, 1)
	go func() {
		_, err := listener.Accept()
		accepted <- err
	}()
	if err := listener.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-accepted:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("accepting ended with %v", err)
		}
	case <-time.After(bound):
		t.Error("accepting blocks")
	}
}

func TestANextProcessThatHasHeardLessWaits(t *testing.T) {
	dir := shortDir(t)
	e := &edge{at: Position{2, 9}, connected: true}
	runs(t, dir, e, nil)
	taking := asks(t, dir)
	e.await(t, "offer")
	for _, tt := range []struct {
		at        Position
		connected bool
		turn      bool
	}{
		{Position{2, 8}, true, false},
		{Position{1, 100}, true, false},
		{Position{2, 9}, false, false}, // it has lost the control plane, which the running process has
		{Position{2, 9}, true, true},
	} {
		turn, need, err := taking.Ready(tt.at, tt.connected)
		if err != nil || turn != tt.turn || !turn && need != (Position{2, 9}) {
			t.Errorf("at %+v, connected %t: turn %t, need %+v, %v", tt.at, tt.connected, turn, need, err)
		}
	}
}

func TestANextProcessThatDiesAtAnyPointChangesNothing(t *testing.T) {
	for name, until := range map[string]func(*Taking){
		"before it is ready":         func(*Taking) {},
		"when it is told to wait":    func(taking *Taking) { _, _, _ = taking.Ready(Position{}, true) },
		"when it is its turn":        func(taking *Taking) { _, _, _ = taking.Ready(Position{1, 1}, true) },
		"in the middle of a message": func(taking *Taking) { _, _ = taking.wire.conn.Write([]byte{0, 0, 0, 9, '{'}) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			e := &edge{at: Position{1, 1}}
			runs(t, dir, e, nil)
			for range 2 { // it can be asked again
				taking := asks(t, dir)
				e.await(t, "offer")
				until(taking)
				taking.Close()
				e.await(t, "keep")
			}
		})
	}
}

func TestANextProcessThatSaysSomethingWrongIsGivenUp(t *testing.T) {
	for name, said := range map[string][]byte{
		"no message":         append(binary.BigEndian.AppendUint32(nil, 3), "abc"...),
		"an endless one":     binary.BigEndian.AppendUint32(nil, maxMessage+1),
		"an empty one":       {0, 0, 0, 0},
		"one out of turn":    mustEncode(message{Kind: serving}),
		"one of its own":     mustEncode(message{Kind: offer}),
		"one of another age": mustEncode(message{Kind: "later"}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortDir(t)
			e := new(edge)
			runs(t, dir, e, nil)
			taking := asks(t, dir)
			e.await(t, "offer")
			if _, err := taking.wire.conn.Write(said); err != nil {
				t.Fatal(err)
			}
			e.await(t, "keep")
		})
	}
}

func mustEncode(m message) []byte {
	body, err := encode(m)
	if err != nil {
		panic(err)
	}
	return body
}

func TestANextProcessThatIsNeverReadyIsGivenUp(t *testing.T) {
	dir := shortDir(t)
	e := new(edge)
	runs(t, dir, e, func(g *Giver) { g.ready = time.Millisecond })
	taking := asks(t, dir)
	e.await(t, "offer")
	e.await(t, "keep")
	if _, _, err := taking.Ready(Position{}, true); !errors.Is(err, ErrGone) {
		t.Errorf("it is told %v, want that nobody is there any more", err)
	}
}

// It has had the right to write since before it said that it serves: as long as it has that, the running process doesn't go on writing.
func TestANextProcessThatHasTheRightToWriteServesThoughItSaysSoLate(t *testing.T) {
	dir := shortDir(t)
	e := &edge{keepFails: 1 << 30}
	runs(t, dir, e, func(g *Giver) { g.turn = time.Millisecond })
	taking := asks(t, dir)
	e.await(t, "offer")
	if turn, _, err := taking.Ready(Position{}, true); !turn || err != nil {
		t.Fatalf("it isn't its turn: %v", err)
	}
	for range 2 { // the running process has lost its patience, and can't go on
		e.await(t, "fail")
	}
	taking.Serving()
	e.await(t, "leave")
}

// It took the running process, which stood still, for gone, and the right to write that was free. That one wakes, and finds both said at once.
func TestARunningProcessThatStoodStillLeavesToTheOneThatWentOnWithoutIt(t *testing.T) {
	dir := shortDir(t)
	e := &edge{keepFails: 1 << 30, at: Position{1, 1}}
	runs(t, dir, e, nil)
	taking := asks(t, dir)
	e.await(t, "offer")
	both := append(mustEncode(message{Kind: ready}), mustEncode(message{Kind: serving})...) // it isn't as far, and is to be told to wait
	if _, err := taking.wire.conn.Write(both); err != nil {
		t.Fatal(err)
	}
	e.await(t, "leave")
}

// Where nothing was offered there is nothing to take over: whoever asked may find the directory free.
func TestAProcessThatEndsBeforeItOffersIsGone(t *testing.T) {
	dir := shortDir(t)
	g, err := Listen(dir, new(edge), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		conn, err := g.listener.AcceptUnix()
		ended <- errors.Join(err, conn.Close(), g.remove())
	}()
	if _, err := Ask(t.Context(), dir, "next"); !errors.Is(err, ErrGone) {
		t.Errorf("it is told %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheRunningProcessWritesAgainOnceTheNextOneLetsIt(t *testing.T) {
	dir := shortDir(t)
	e := &edge{keepFails: 3}
	runs(t, dir, e, nil)
	taking := asks(t, dir)
	e.await(t, "offer")
	taking.Close()
	e.await(t, "keep")
}

func TestARefusalIsToldInWords(t *testing.T) {
	dir := shortDir(t)
	e := &edge{refusal: errors.New("it is ending")}
	runs(t, dir, e, nil)
	if _, err := Ask(t.Context(), dir, "next"); err == nil || !strings.Contains(err.Error(), "it is ending") {
		t.Errorf("it is told %v", err)
	}
}

func TestAnotherUsersProcessGetsNothing(t *testing.T) {
	dir := shortDir(t)
	e := new(edge)
	runs(t, dir, e, func(g *Giver) {
		g.peerOf = func(*net.UnixConn) (int, int, error) { return os.Geteuid() + 1, 42, nil }
	})
	if taking, err := Ask(t.Context(), dir, "next"); err == nil {
		taking.Close()
		t.Error("it was offered the sockets")
	}
	if len(e.steps) > 0 {
		t.Errorf("it made the running process %v", e.steps)
	}
}

func TestTheSocketIsItsOwnersAlone(t *testing.T) {
	dir := shortDir(t)
	runs(t, dir, new(edge), nil)
	info, err := os.Stat(filepath.Join(dir, socketFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAnotherVersionIsRefusedInWords(t *testing.T) {
	dir := shortDir(t)
	e := new(edge)
	runs(t, dir, e, nil)
	w := dial(t, dir)
	if err := w.send(message{Kind: hello, Version: version + 1}, bound); err != nil {
		t.Fatal(err)
	}
	m, err := w.receive(time.Now().Add(bound))
	if err != nil || m.Kind != refused || !strings.Contains(m.Reason, "version") {
		t.Errorf("it is told %+v, %v", m, err)
	}
}

func dial(t *testing.T, dir string) *wire {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, socketFile), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{conn: conn}
	t.Cleanup(w.close)
	return w
}

func TestWhereNobodyRunsNobodyIsAsked(t *testing.T) {
	dir := shortDir(t)
	if _, err := Ask(t.Context(), dir, "next"); !errors.Is(err, ErrNobody) {
		t.Errorf("got %v", err)
	}
	// A process that was killed leaves its socket.
	g, err := Listen(dir, new(edge), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Ask(t.Context(), dir, "next"); !errors.Is(err, ErrNobody) {
		t.Errorf("at a dead one's socket: %v", err)
	}
	// Whoever comes next puts its own in the place, and takes it away when it ends.
	e := &edge{news: make(chan string, 1)}
	if g, err = Listen(dir, e, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, socketFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestAProcessThatEndsLeavesTheNextOnesSocketAlone(t *testing.T) {
	dir := shortDir(t)
	before, err := Listen(dir, new(edge), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e := new(edge)
	runs(t, dir, e, nil)
	if err := before.remove(); err != nil {
		t.Fatal(err)
	}
	asks(t, dir)
	e.await(t, "offer")
}

func TestFilesComeWithAnOfferAlone(t *testing.T) {
	dir, listener := shortDir(t), tcp(t)
	runs(t, dir, new(edge), nil)
	w := dial(t, dir)
	number, err := copyOf(listener)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(number) }()
	if err := w.send(message{Kind: hello, Version: version}, bound, number); err != nil {
		t.Fatal(err)
	}
	if m, err := w.receive(time.Now().Add(bound)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("who sends files is told %+v, %v", m, err)
	}
}

func TestWhatIsNoListeningSocketIsNoListener(t *testing.T) {
	dir := shortDir(t)
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listener(file); err == nil {
		t.Error("a file is taken for a listener")
	}
	listener := tcp(t)
	conn, err := net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	number, err := copyOf(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listener(os.NewFile(uintptr(number), "connection")); err == nil {
		t.Error("a connection is taken for a listener")
	}
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close() })
	if number, err = copyOf(unix); err != nil {
		t.Fatal(err)
	}
	if _, err := Listener(os.NewFile(uintptr(number), "unix")); err == nil {
		t.Error("a unix socket is taken for a client's")
	}
}

// A message that comes byte by byte is one, and one that a deadline cut is read on.
func TestAMessageInPiecesIsOne(t *testing.T) {
	one, other := pair(t)
	body := mustEncode(message{Kind: ready, Epoch: 3, Number: 4})
	for _, b := range body[:len(body)-1] {
		if _, err := one.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	w := &wire{conn: other}
	if _, err := w.receive(time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("half a message is %v", err)
	}
	if _, err := one.Write(append(body[len(body)-1:], body...)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if m, err := w.receive(time.Now().Add(bound)); err != nil || m.Kind != ready || m.Epoch != 3 || m.Number != 4 {
			t.Errorf("got %+v, %v", m, err)
		}
	}
}

func pair(t *testing.T) (one, other *net.UnixConn) {
	t.Helper()
	numbers, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, number := range numbers {
		file := os.NewFile(uintptr(number), fmt.Sprint("pair ", i))
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		conns[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conns[0], conns[1]
}

func FuzzMessage(f *testing.F) {
	for _, m := range []message{{Kind: hello, Version: 1, Build: "b"}, {Kind: offer, Names: []string{"clients", "lock"}}, {Kind: wait, Epoch: 1, Number: 2}} {
		f.Add(mustEncode(m))
	}
	f.Add([]byte{0, 0, 0, 2, '{', '}', 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, length, err := cut(b)
		if err != nil || length == 0 {
			if length != 0 {
				t.Errorf("no message has a length of %d", length)
			}
			return
		}
		if length > len(b) || length > lengthBytes+maxMessage {
			t.Fatalf("a message of %d bytes out of %d", length, len(b))
		}
		again, err := encode(m)
		if err != nil {
			return // escapes made it longer
		}
		if same, _, err := cut(again); err != nil || fmt.Sprint(same) != fmt.Sprint(m) {
			t.Errorf("%+v became %+v, %v", m, same, err)
		}
	})
}
