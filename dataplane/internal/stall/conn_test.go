package stall

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestAPeerThatTakesNothingIsGivenUp(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	conn := NewConn(here, time.Millisecond)
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a passed deadline", err)
	}
}

func TestPatienceIsCountedPerWrite(t *testing.T) {
	here, there := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, there) }()
	defer there.Close()
	conn := NewConn(here, time.Minute)
	defer conn.Close()
	// A deadline that an earlier write has left behind doesn't count for the next one.
	if err := conn.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("a peer that takes everything was given up: %v", err)
	}
}
