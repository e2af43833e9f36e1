package stack

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/deploy/local/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newPart returns a part that sleeps, and a channel that tells of each start.
func newPart(restart bool) (*part, chan struct{}) {
	started := make(chan struct{}, 16)
	return &part{
		name: "sleeper", restart: restart, log: slog.New(slog.DiscardHandler),
		spec: func(context.Context) (process.Spec, error) {
			return process.Spec{Path: "sleep", Args: []string{"60"}, Output: new(bytes.Buffer)}, nil
		},
		changed: func() { started <- struct{}{} },
	}, started
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

func TestWhatDiesRunsAgainUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, started := newPart(true)
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "the start", started)
	first := p.current()
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the restart", started)
	second := p.current()
	if second.PID() == first.PID() {
		t.Fatal("no other process took its place")
	}
	if err := p.stop(ctx); err != nil {
		t.Fatal(err)
	}
	p.watcher.Wait()
	select {
	case <-started:
		t.Error("it was started again after it had been stopped")
	default:
	}
}

func TestWhatDiesStaysDeadWhenAsked(t *testing.T) {
	p, started := newPart(false)
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the start", started)
	p.current().Kill()
	select {
	case <-started:
		t.Error("it was started again")
	default:
	}
}

func TestEachLineCarriesItsProgramsName(t *testing.T) {
	var out bytes.Buffer
	var lock sync.Mutex
	a, b := &lines{name: "a", out: &out, lock: &lock}, &lines{name: "b", out: &out, lock: &lock}
	for _, w := range []struct {
		to   *lines
		text string
	}{{a, "one\ntw"}, {b, "other\n"}, {a, "o\n"}} {
		if _, err := w.to.Write([]byte(w.text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(strings.Fields(out.String()), " "), "a one b other a two"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPortsLeftOpenAreAllDifferent(t *testing.T) {
	cfg := Config{Edges: 8, Ports: Ports{Admin: 7}}
	at, err := cfg.choose()
	if err != nil {
		t.Fatal(err)
	}
	if at.admins[0] != "127.0.0.1:7" {
		t.Errorf("the port asked for became %s", at.admins[0])
	}
	seen := map[string]bool{}
	for _, address := range append(append([]string{at.admins[0], at.edgeAPIs[0], at.bus, at.demo}, at.edges...), at.edgeAdmins...) {
		if seen[address] {
			t.Errorf("%s was given twice", address)
		}
		seen[address] = true
	}
}
