package bus_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/subject"
)

// user is a node's user on the bus.
type user struct {
	identity fleet.Identity
	pair     nkeys.KeyPair
	public   string
	jwt      string
}

func (i *installation) newUser(identity fleet.Identity) *user {
	i.t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		i.t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		i.t.Fatal(err)
	}
	u := &user{identity: identity, pair: pair, public: public}
	if err := u.renew(i); err != nil {
		i.t.Fatal(err)
	}
	return u
}

// renew gives the user a new JWT.
func (u *user) renew(i *installation) error {
	keys, err := bus.LoadKeys(i.t.Context(), i.materials)
	if err != nil {
		return err
	}
	u.jwt, err = keys.NodeJWT(u.identity, u.public)
	return err
}

// login connects as a node does.
func (i *installation) login(url string, u *user, options ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(url, append([]nats.Option{
		nats.Secure(i.clientTLS()),
		nats.UserJWT(func() (string, error) { return u.jwt, nil }, u.pair.Sign),
		nats.CustomInboxPrefix(subject.InboxPrefix(u.identity.Node)),
	}, options...)...)
}

func (i *installation) mustLogin(url string, u *user, options ...nats.Option) *nats.Conn {
	i.t.Helper()
	conn, err := i.login(url, u, options...)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(conn.Close)
	return conn
}

// refused makes sure that the bus turns a user away.
func (i *installation) refused(url string, u *user) {
	i.t.Helper()
	conn, err := i.login(url, u)
	if err == nil {
		conn.Close()
		i.t.Error("the bus let a revoked node in")
		return
	}
	if !errors.Is(err, nats.ErrAuthorization) {
		i.t.Errorf("it was turned away by %v", err)
	}
}

// natsServer builds the program of the module that this one embeds.
func natsServer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v: %s", err, out)
	}
	return path
}

// external is a nats-server process, configured by what we write for it.
type external struct {
	t       *testing.T
	program string
	config  string
	url     string
	cmd     *exec.Cmd
	output  bytes.Buffer
}

func (i *installation) external() *external {
	i.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		i.t.Fatal(err)
	}
	certificates, key, ends, err := i.authority.IssueBus(time.Hour)
	if err != nil || time.Until(ends) > time.Hour {
		i.t.Fatal(ends, err)
	}
	keys, err := bus.LoadKeys(i.t.Context(), i.materials)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := keys.Configuration(bus.External{
		Listen: address, ServerName: "one", StoreDir: filepath.Join(i.dir, "store"),
		Certificate: filepath.Join(i.dir, "bus.crt"), Key: filepath.Join(i.dir, "bus.key"),
	})
	if err != nil {
		i.t.Fatal(err)
	}
	e := &external{t: i.t, program: natsServer(i.t), config: filepath.Join(i.dir, "nats-server.conf"), url: "tls://" + address}
	for name, body := range map[string][]byte{"bus.crt": certificates, "bus.key": key, "nats-server.conf": text} {
		if err := os.WriteFile(filepath.Join(i.dir, name), body, 0o600); err != nil {
			i.t.Fatal(err)
		}
	}
	e.start()
	i.t.Cleanup(e.stop)
	return e
}

func (e *external) start() {
	e.t.Helper()
	e.cmd = exec.Command(e.program, "-c", e.config)
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *external) stop() {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait() // killed by our signal
	e.cmd = nil
	if e.t.Failed() {
		e.t.Log(e.output.String())
	}
}

// client is the control plane's, at a bus that may not be up yet.
func (i *installation) client(url string) *bus.Client {
	i.t.Helper()
	keys, err := bus.LoadKeys(i.t.Context(), i.materials)
	if err != nil {
		i.t.Fatal(err)
	}
	return bus.NewClient([]string{url}, nil, i.authority.BusClientTLS(), keys, slog.New(slog.DiscardHandler))
}

// The same user JWTs and the same rules as with the embedded one: only who runs the server differs.
func TestExternalServerServesTheSameUsersByTheSameRules(t *testing.T) {
	i := install(t)
	server := i.external()
	client := i.client(server.url)
	store := new(revocations)
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consumeFrom(client, r)
	warden := guard(t, store, client)
	bad, good := i.newUser(newIdentity()), i.newUser(newIdentity())

	complaints := make(chan error, 16)
	cut := make(chan struct{})
	conn := i.await(server.url, bad, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(cut) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { complaints <- err }))
	own := subject.Usage(bad.identity.Environment, bad.identity.Node)
	publish(t, conn, own, "one")
	if got := <-r.got; got.Subject != own || string(got.Data) != "one" {
		t.Errorf("got %q on %s", got.Data, got.Subject)
	}
	for _, on := range []string{subject.Usage(good.identity.Environment, good.identity.Node), "$JS.API.STREAM.INFO." + subject.UsageStream, "$SYS.REQ.CLAIMS.UPDATE"} {
		if err := conn.Publish(on, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := <-complaints; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("published on %s: %v", on, err)
		}
	}
	if _, err := conn.SubscribeSync(subject.UsageAll()); err != nil {
		t.Fatal(err)
	}
	if err := <-complaints; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("read the stream: %v", err)
	}

	store.revoke(bad.public)
	warden.Wake()
	awaitCut(t, cut)
	i.refused(server.url, bad)
	// The server keeps what it was told.
	server.stop()
	server.start()
	i.await(server.url, good).Close()
	i.refused(server.url, bad)
}

func TestControlPlaneRefusesABusWithoutItsCertificate(t *testing.T) {
	i, stranger := install(t), install(t)
	server := stranger.start()
	config := i.authority.BusClientTLS()
	if conn, err := nats.Connect(server.URLs()[0], nats.Secure(config)); err == nil {
		conn.Close()
		t.Error("it believed a stranger's certificate")
	} else if !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Error(err)
	}
}

func TestRevocationsOutliveTheJWTsThatTheyEnd(t *testing.T) {
	if bus.NodeJWTLife >= fleet.RevocationLife {
		t.Error("a JWT could live longer than it is remembered that it was revoked")
	}
}

// await logs in as soon as the server is up.
func (i *installation) await(url string, u *user, options ...nats.Option) *nats.Conn {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		conn, err := i.login(url, u, options...)
		if err == nil {
			i.t.Cleanup(conn.Close)
			return conn
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			i.t.Fatal(err)
		}
	}
}

// A server that comes back with an empty disk knows only what its configuration says: it is told again who may not come in, and
// gets its stream back.
func TestServerThatLostItsDiskIsToldAgainAndGetsItsStreamBack(t *testing.T) {
	i := install(t)
	server := i.external()
	client := i.client(server.url)
	store := new(revocations)
	bad, good := i.newUser(newIdentity()), i.newUser(newIdentity())
	store.revoke(bad.public)
	r := &receiver{got: make(chan usage.Delivery, 16), verdict: committed}
	i.consumeFrom(client, r)
	guard(t, store, client)
	publish(t, i.await(server.url, good), subject.Usage(good.identity.Environment, good.identity.Node), "before")
	<-r.got

	server.stop()
	if err := os.RemoveAll(filepath.Join(i.dir, "store")); err != nil {
		t.Fatal(err)
	}
	server.start()
	conn := i.await(server.url, good)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_, err := js.Publish(t.Context(), subject.Usage(good.identity.Environment, good.identity.Node), []byte("after"), jetstream.WithRetryAttempts(0))
		return err == nil
	})
	if got := <-r.got; string(got.Data) != "after" {
		t.Errorf("got %q", got.Data)
	}
	eventually(t, func() bool {
		conn, err := i.login(server.url, bad)
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, nats.ErrAuthorization)
	})
}

// eventually returns once a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it didn't come about")
		}
	}
}
