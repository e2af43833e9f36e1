package bus_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/subject"
)

func TestWhatARetiredIssuerSignedIsCutOffAndNothingElse(t *testing.T) {
	i := install(t)
	server := i.start()
	warden, err := bus.NewWarden(new(revocations), server.Client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consume(server, r)
	issuer := func() (string, []byte) {
		public, seed, err := i.keys.NewIssuer()
		if err != nil {
			t.Fatal(err)
		}
		return public, seed
	}
	use := func(seed []byte, public ...string) {
		if err := i.keys.UseIssuers(seed, public); err != nil {
			t.Fatal(err)
		}
		if err := warden.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sends := func(conn *nats.Conn, own, text string) {
		t.Helper()
		publish(t, conn, own, text)
		if got := <-r.got; string(got.Data) != text {
			t.Errorf("got %q", got.Data)
		}
	}
	early, first, second := newIdentity(), newIdentity(), newIdentity()
	earlyConn, _ := i.connect(server, early) // by the account's own key
	earlySubject, firstSubject := subject.Usage(early.Environment, early.Node), subject.Usage(first.Environment, first.Node)

	a, seedA := issuer()
	use(seedA, a)
	firstConn, _ := i.connect(server, first)
	sends(firstConn, firstSubject, "by the first")
	b, seedB := issuer()
	use(seedA, a, b)
	use(seedB, b, a)
	secondConn, _ := i.connect(server, second)
	sends(firstConn, firstSubject, "by the first, beside the second")
	sends(secondConn, subject.Usage(second.Environment, second.Node), "by the second")

	lost := firstConn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	use(seedB, b)
	select {
	case <-lost:
	case <-time.After(20 * time.Second):
		t.Fatal("it is connected by what a retired issuer signed")
	}
	sends(secondConn, subject.Usage(second.Environment, second.Node), "by the second alone")
	sends(earlyConn, earlySubject, "by the account's own key")
	if err := i.keys.UseIssuers([]byte("no seed"), []string{"A"}); err == nil {
		t.Error("took what is no seed")
	}
}
