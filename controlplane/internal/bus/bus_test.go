package bus_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/subject"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// materials is a fleet.Materials in memory.
type materials struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (m *materials) Material(_ context.Context, name string, generate func() ([]byte, error)) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, ok := m.kept[name]; ok {
		return kept, nil
	}
	made, err := generate()
	if err != nil {
		return nil, err
	}
	if m.kept == nil {
		m.kept = make(map[string][]byte)
	}
	m.kept[name] = made
	return made, nil
}

// installation is what outlives a bus: its material and its folder.
type installation struct {
	t         *testing.T
	materials *materials
	authority *fleet.Authority
	keys      *bus.Keys // of the bus that was started last
	dir       string
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, materials: &materials{}, dir: t.TempDir()}
	var err error
	if i.authority, err = fleet.LoadAuthority(t.Context(), i.materials); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *installation) start() *bus.Server {
	i.t.Helper()
	return i.startRevoking(nil)
}

func (i *installation) startRevoking(revoked []fleet.BusRevocation) *bus.Server {
	i.t.Helper()
	certificate, err := fleet.NewServerCertificate(i.authority)
	if err != nil {
		i.t.Fatal(err)
	}
	keys, err := bus.LoadKeys(i.t.Context(), i.materials)
	if err != nil {
		i.t.Fatal(err)
	}
	i.keys = keys
	server, err := bus.Start(i.t.Context(), bus.Config{
		Listen: "127.0.0.1:0", StoreDir: i.dir, TLS: certificate.TLS(tls.NoClientCert), Revoked: revoked, Logger: slog.New(slog.DiscardHandler),
	}, keys)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(server.Stop)
	return server
}

func newIdentity() fleet.Identity {
	now := time.Now()
	return fleet.Identity{Environment: id.Text("env", id.New(now)), Node: id.Text("node", id.New(now))}
}

// connect connects as a node does, and collects what the server complains about.
func (i *installation) connect(server *bus.Server, identity fleet.Identity) (*nats.Conn, <-chan error) {
	i.t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		i.t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		i.t.Fatal(err)
	}
	userJWT, err := server.NodeJWT(identity, public)
	if err != nil {
		i.t.Fatal(err)
	}
	complaints := make(chan error, 16)
	conn, err := nats.Connect(server.URLs()[0],
		nats.Secure(i.clientTLS()),
		nats.UserJWT(func() (string, error) { return userJWT, nil }, user.Sign),
		nats.CustomInboxPrefix(subject.InboxPrefix(identity.Node)),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { complaints <- err }),
	)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(conn.Close)
	return conn, complaints
}

// clientTLS checks the chain but no host name, as nodes do.
func (i *installation) clientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: i.authority.Pool()})
			return err
		},
	}
}

// receiver answers with a verdict of the test's choice, and tells what it got.
type receiver struct {
	got     chan usage.Delivery
	verdict func(usage.Delivery) usage.Verdict
}

func (r *receiver) Receive(_ context.Context, deliveries []usage.Delivery) []usage.Verdict {
	verdicts := make([]usage.Verdict, len(deliveries))
	for i, d := range deliveries {
		r.got <- d
		verdicts[i] = r.verdict(d)
	}
	return verdicts
}

// consume runs a consumer until the returned function is called.
func (i *installation) consume(server *bus.Server, r bus.Receiver) (stop func()) {
	i.t.Helper()
	return i.consumeFrom(server.Client, r)
}

func (i *installation) consumeFrom(client *bus.Client, r bus.Receiver) (stop func()) {
	i.t.Helper()
	conn, err := client.Connect()
	if err != nil {
		i.t.Fatal(err)
	}
	consumer, err := bus.NewConsumer(conn, r, slog.New(slog.DiscardHandler), new(bus.Stats))
	if err != nil {
		i.t.Fatal(err)
	}
	if connected := conn.StatusChanged(nats.CONNECTED); !conn.IsConnected() {
		<-connected
	}
	if err := consumer.Ensure(i.t.Context()); err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			i.t.Error(err)
		}
		conn.Close()
	})
	i.t.Cleanup(stop)
	return stop
}

func committed(usage.Delivery) usage.Verdict { return usage.Committed }

// publish gets a message stored, as a node does.
func publish(t *testing.T, conn *nats.Conn, on string, data string) {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), on, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatANodePublishesIsReceivedOnce(t *testing.T) {
	i := install(t)
	server := i.start()
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consume(server, r)
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	own := subject.Usage(identity.Environment, identity.Node)
	before := time.Now()
	publish(t, conn, own, "one")
	publish(t, conn, own, "two")
	for _, want := range []string{"one", "two"} {
		got := <-r.got
		if got.Subject != own || string(got.Data) != want {
			t.Errorf("got %q on %s", got.Data, got.Subject)
		}
		if got.SentAt.Before(before) || got.SentAt.After(time.Now()) {
			t.Errorf("the bus took it at %v", got.SentAt)
		}
	}
}

func TestNodePublishesOnlyAsItselfAndReadsNothing(t *testing.T) {
	i := install(t)
	server := i.start()
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consume(server, r)
	identity, other := newIdentity(), newIdentity()
	conn, complaints := i.connect(server, identity)

	publishes := []string{
		subject.Usage(other.Environment, other.Node),
		subject.Usage(identity.Environment, other.Node),
		"$JS.API.STREAM.INFO." + subject.UsageStream,
		"$JS.API.STREAM.PURGE." + subject.UsageStream,
		"$JS.API.CONSUMER.MSG.NEXT." + subject.UsageStream + "." + subject.UsageConsumer,
		"$SYS.REQ.CLAIMS.UPDATE",
	}
	for _, on := range publishes {
		if err := conn.Publish(on, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-complaints; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("published on %s: %v", on, err)
		}
	}
	for _, to := range []string{subject.UsageAll(), ">", "_INBOX.>", subject.InboxPrefix(other.Node) + ".>"} {
		if _, err := conn.SubscribeSync(to); err != nil {
			t.Fatal(err)
		}
		if err := <-complaints; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("subscribed to %s: %v", to, err)
		}
	}
	publish(t, conn, subject.Usage(identity.Environment, identity.Node), "own")
	if got := <-r.got; string(got.Data) != "own" {
		t.Errorf("the stream holds %q on %s", got.Data, got.Subject)
	}
}

// The server sends a PubAck to whatever subject the publisher names: that must not make it act in the
// node's place.
func TestNodeCannotMakeTheServerPurgeOrDeleteTheStream(t *testing.T) {
	i := install(t)
	server := i.start()
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consume(server, r)() // makes the stream, and reads nothing
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	own := subject.Usage(identity.Environment, identity.Node)
	publish(t, conn, own, "kept")
	for _, reply := range []string{
		"$JS.API.STREAM.PURGE." + subject.UsageStream,
		"$JS.API.STREAM.DELETE." + subject.UsageStream,
		"$JS.API.STREAM.MSG.DELETE." + subject.UsageStream,
		"$JS.API.CONSUMER.DELETE." + subject.UsageStream + "." + subject.UsageConsumer,
	} {
		if err := conn.PublishRequest(own, reply, []byte("kept")); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, conn, own, "last") // behind all of them
	i.consume(server, r)
	for _, want := range []string{"kept", "kept", "kept", "kept", "kept", "last"} {
		if got := <-r.got; string(got.Data) != want {
			t.Errorf("got %q, want %q", got.Data, want)
		}
	}
}

func TestOnlyHoldersOfOurJWTConnect(t *testing.T) {
	i := install(t)
	server := i.start()
	stranger := install(t) // with keys of its own
	strangerKeys, err := bus.LoadKeys(t.Context(), stranger.materials)
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := strangerKeys.NodeJWT(newIdentity(), public)
	if err != nil {
		t.Fatal(err)
	}
	attempts := map[string][]nats.Option{
		"with nothing":        nil,
		"with a foreign JWT":  {nats.UserJWT(func() (string, error) { return foreign, nil }, user.Sign)},
		"without TLS":         {nats.UserJWT(func() (string, error) { return foreign, nil }, user.Sign)},
		"with a wrong anchor": {nats.Secure(stranger.clientTLS())},
	}
	for name, options := range attempts {
		url := server.URLs()[0]
		switch name {
		case "without TLS":
			url = "nats://" + server.Addr()
		case "with a wrong anchor":
		default:
			options = append(options, nats.Secure(i.clientTLS()))
		}
		conn, err := nats.Connect(url, options...)
		if err == nil {
			conn.Close()
			t.Errorf("connected %s", name)
		}
	}
	if _, err := server.NodeJWT(newIdentity(), "not a key"); err == nil {
		t.Error("made a JWT for something that is no key")
	}
}

func TestUnansweredAndRetriedMessagesSurviveARestart(t *testing.T) {
	i := install(t)
	server := i.start()
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: func(usage.Delivery) usage.Verdict { return usage.Retry }}
	stop := i.consume(server, r)
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	publish(t, conn, subject.Usage(identity.Environment, identity.Node), "once")
	<-r.got
	stop()
	conn.Close()
	server.Stop()

	again := i.start()
	r2 := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consume(again, r2)
	if got := <-r2.got; string(got.Data) != "once" {
		t.Errorf("got %q", got.Data)
	}
}

func TestRefusedMessageDoesNotComeAgain(t *testing.T) {
	i := install(t)
	server := i.start()
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: func(d usage.Delivery) usage.Verdict {
		if string(d.Data) == "bad" {
			return usage.Refused
		}
		return usage.Committed
	}}
	stop := i.consume(server, r)
	identity := newIdentity()
	conn, _ := i.connect(server, identity)
	own := subject.Usage(identity.Environment, identity.Node)
	publish(t, conn, own, "bad")
	<-r.got
	stop()
	i.consume(server, r)
	publish(t, conn, own, "good")
	if got := <-r.got; string(got.Data) != "good" {
		t.Errorf("got %q", got.Data)
	}
}
