package relay

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/bench/origin"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestTheRelayPassesBytesAndEndsWithItsContext(t *testing.T) {
	o, err := origin.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	listen, err := harness.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, listen, o.Address) }()
	var conn net.Conn
	harness.Eventually(t, 10*time.Second, func() (err error) {
		conn, err = new(net.Dialer).DialContext(t.Context(), "tcp", listen)
		return err
	})
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len("HTTP/1.1 200 OK"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Fatalf("answered %q (%v)", answer, err)
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
