package dataplane

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func listening(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine can't listen on %s: %v", address, err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func port(t *testing.T, listener net.Listener) string {
	t.Helper()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A process that is told to listen elsewhere than the one before must not go on where that one was.
func TestASocketIsTakenOverOnlyWhereTheNodeIsToListen(t *testing.T) {
	one, all := listening(t, "127.0.0.1:0"), listening(t, ":0")
	for _, tt := range []struct {
		listener net.Listener
		address  string
		want     bool
	}{
		{one, "127.0.0.1:" + port(t, one), true},
		{one, "127.0.0.1:0", true},
		{one, "localhost:" + port(t, one), true},
		{one, "127.0.0.1:1", false},
		{one, "127.0.0.2:" + port(t, one), false},
		{one, ":" + port(t, one), false},
		{one, "nowhere", false},
		{all, ":" + port(t, all), true},
		{all, "[::]:" + port(t, all), true},
		{all, "0.0.0.0:" + port(t, all), true},
		{all, "127.0.0.1:" + port(t, all), false},
	} {
		if got := isAt(tt.listener, tt.address); got != tt.want {
			t.Errorf("what listens on %s is at %q: %t", tt.listener.Addr(), tt.address, got)
		}
	}
}

// Whoever accepts takes the end of accepting for a failure, unless it was asked to end.
func TestAListenerThatIsLeftAcceptsNothingAndEndsWhenItIsClosed(t *testing.T) {
	y := newYielding(listening(t, "127.0.0.1:0"))
	accepted := make(chan error, 1)
	go func() {
		_, err := y.Accept()
		accepted <- err
	}()
	y.leave()
	if conn, err := net.Dial("tcp", y.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
	select {
	case err := <-accepted:
		t.Fatalf("accepting ended with %v before the listener was closed", err)
	default:
	}
	_ = y.Close()
	select {
	case err := <-accepted:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepting ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("accepting doesn't end")
	}
	_ = y.Close() // again, as its owner does
}

func TestAGroundThatIsInUseIsTakenOverOnlyWhenToldTo(t *testing.T) {
	cfg := Config{
		Control: "127.0.0.1:1", DataDir: t.TempDir(), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler),
	}
	at, err := takeGround(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer at.close()
	if _, err := takeGround(t.Context(), cfg); err == nil || errors.Is(err, ErrNotTakenOver) {
		t.Errorf("a second process is told %v", err)
	}
	cfg.TakeOver = true
	if _, err := takeGround(t.Context(), cfg); !errors.Is(err, ErrNotTakenOver) {
		t.Errorf("one that is to take over from a process that can't be asked is told %v", err)
	}
	at.close()
	if at, err = takeGround(t.Context(), cfg); err != nil || at.taking != nil {
		t.Fatalf("where nobody runs it starts as ever: %v", err)
	}
	if at.judge(errors.New("x")) == nil || errors.Is(at.judge(errors.New("x")), ErrNotTakenOver) {
		t.Error("its failures are its own")
	}
}

// Whoever starts the next process counts on one of the two: the one that was to be taken over from has just crashed, and can't be it.
func TestAGroundWhoseProcessEndsBeforeItOffersItIsTakenAfterIt(t *testing.T) {
	dir, err := os.MkdirTemp("", "ground") // short: a socket's name is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := Config{
		Control: "127.0.0.1:1", DataDir: dir, Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", TakeOver: true, Logger: slog.New(slog.DiscardHandler),
	}
	before, err := takeGround(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := net.Listen("unix", filepath.Join(dir, "handover.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		conn, err := asked.Accept()
		if err == nil {
			err = errors.Join(conn.Close(), asked.Close()) // a dead process's files are closed in no order that counts
		}
		before.close()
		ended <- err
	}()
	at, err := takeGround(t.Context(), cfg)
	if err != nil || at.taking != nil {
		t.Fatalf("the next process gets %+v, %v", at, err)
	}
	at.close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
