package controlplane_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/deploy/local/postgres"
)

// planeVariable holds the configuration of the control plane that a process of this test binary is to be.
const planeVariable = "SALLYPORT_TEST_CONTROL_PLANE"

func TestMain(m *testing.M) {
	if text := os.Getenv(planeVariable); text != "" {
		if err := bePlane(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if err := leftBehind(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leftBehind tells of goroutines that no test has ended. The bus's own take some time for it once it is shut down, on a busy machine
// longer than goleak waits. A bus that is shut down while it makes a stream leaves that stream's own behind: those aren't ours to end.
func leftBehind() (err error) {
	ofStream := []goleak.Option{
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	}
	for range 20 {
		if err = goleak.Find(ofStream...); err == nil {
			return nil
		}
	}
	return err
}

// told is what such a process is told.
type told struct{ Database, RootKey, Admin, Edge, Bus, Dir string }

func (t told) config() controlplane.Config {
	return controlplane.Config{
		DatabaseURL: t.Database, RootKey: t.RootKey, AdminListen: t.Admin, EdgeListen: t.Edge, BusListen: t.Bus, DataDir: t.Dir,
	}
}

// bePlane runs a control plane until it is asked to end. It prints where it listens.
func bePlane(text string) error {
	var told told
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return err
	}
	cfg := told.config()
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg.Ready = func(at controlplane.Addresses) error { return json.NewEncoder(os.Stdout).Encode(at) }
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return controlplane.Run(ctx, cfg)
}

// plane is a control plane in a process of its own, on a database that keeps its promises, so that what is measured is its alone.
type plane struct {
	b     *testing.B
	told  told
	at    controlplane.Addresses
	join  string
	token string
	child *exec.Cmd

	client *http.Client
}

func startPlane(b *testing.B) *plane {
	b.Helper()
	dir := b.TempDir()
	database, err := postgres.Start(b.Context(), postgres.Config{Dir: filepath.Join(dir, "postgres")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := database.Stop(ctx); err != nil {
			b.Error(err)
		}
		_ = os.RemoveAll(database.Dir()) // it may lie elsewhere
	})
	p := &plane{b: b, client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}, told: told{
		Database: database.DSN("postgres"), RootKey: strings.Repeat("0f", 32),
		Admin: "127.0.0.1:0", Edge: "127.0.0.1:0", Bus: "127.0.0.1:0", Dir: filepath.Join(dir, "control"),
	}}
	b.Cleanup(func() { p.client.CloseIdleConnections(); p.kill() })
	p.start()
	p.told.Admin, p.told.Edge, p.told.Bus = p.at.Admin, p.at.Edge, p.at.Bus // where it is looked for
	p.operate()
	return p
}

// start starts the process, and returns once it listens.
func (p *plane) start() {
	p.b.Helper()
	text, err := json.Marshal(p.told)
	if err != nil {
		p.b.Fatal(err)
	}
	p.child = exec.Command(os.Args[0])
	p.child.Env = append(os.Environ(), planeVariable+"="+string(text))
	p.child.Stderr = p.b.Output()
	out, err := p.child.StdoutPipe()
	if err != nil {
		p.b.Fatal(err)
	}
	if err := p.child.Start(); err != nil {
		p.b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.at)
	}
	if err != nil {
		p.b.Fatalf("the control plane did not start: %v", err)
	}
}

// kill ends the process at once.
func (p *plane) kill() {
	if p.child == nil {
		return
	}
	_ = p.child.Process.Kill()
	_ = p.child.Wait() // it was killed
	p.child = nil
}

func (p *plane) operate() {
	p.b.Helper()
	cfg := p.told.config()
	cfg.Logger = slog.New(slog.DiscardHandler)
	commands, err := controlplane.Open(p.b.Context(), cfg)
	if err != nil {
		p.b.Fatal(err)
	}
	defer commands.Close()
	var errs [3]error
	p.token, errs[0] = commands.CreateToken(p.b.Context(), "bench")
	_, errs[1] = commands.CreateEnvironment(p.b.Context(), "production", "")
	p.join, errs[2] = commands.CreateJoinToken(p.b.Context(), "production", "", 1000, time.Hour)
	for _, err := range errs {
		if err != nil {
			p.b.Fatal(err)
		}
	}
}

// answered is an answer of the admin API that was no refusal.
type answered struct {
	header http.Header
	body   []byte
}

func (a answered) sequence(b *testing.B) uint64 {
	b.Helper()
	n, err := strconv.ParseUint(a.header.Get("Sallyport-Sequence"), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (p *plane) call(method, path, body string) answered {
	p.b.Helper()
	request, err := http.NewRequestWithContext(p.b.Context(), method, "http://"+p.at.Admin+"/api/v1/environments/production"+path, strings.NewReader(body))
	if err != nil {
		p.b.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.b.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		p.b.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, read, err)
	}
	return answered{header: response.Header, body: read}
}

// ticks are the units of /proc/…/stat, a hundred in a second on every Linux that Go runs on.
const ticks = 10 * time.Millisecond

// processorTime returns what the process has used, where the system tells.
func (p *plane) processorTime() (time.Duration, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.child.Process.Pid))
	if err != nil {
		return 0, false
	}
	_, rest, ok := bytes.Cut(text, []byte(") ")) // the name may hold blanks
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * ticks, err1 == nil && err2 == nil
}
