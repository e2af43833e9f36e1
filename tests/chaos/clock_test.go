package chaos

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// stepSource is what the time package is given: the file that CLOCK_STEP names says by how many seconds the wall clock is off. It is mapped
// rather than read, since timers ask for the time where nothing may be called.
const stepSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var stepped = mapped()

func mapped() *int64 {
	name, ok := syscall.Getenv("CLOCK_STEP")
	if !ok {
		return new(int64)
	}
	from, err := open(name)
	if err != nil {
		panic(err)
	}
	page, err := syscall.Mmap(int(from), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func step() int64 { return atomic.LoadInt64(stepped) }
`

// edgeOfAnotherClock builds the edge with a wall clock that can be stepped while it runs; the monotonic one goes on, as where an
// operator sets the clock. It is for Go programs what libfaketime is for others.
func edgeOfAnotherClock(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := strings.TrimSpace(shell(t, os.Environ(), "go env GOROOT"))
	source := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	stepped := strings.Replace(string(text), now, now+"\tsec += step()\n", 1)
	if stepped == string(text) {
		t.Fatalf("%s reads the clock in another way than this test knows", source)
	}
	replace := map[string]string{}
	for of, body := range map[string]string{source: stepped, filepath.Join(filepath.Dir(source), "step.go"): stepSource} {
		with := filepath.Join(dir, filepath.Base(of))
		if err := os.WriteFile(with, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[of] = with
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	edge := filepath.Join(dir, "sallyport-edge")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", filepath.Join(dir, "overlay.json"), "-o", edge, "./dataplane/cmd/sallyport-edge")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build an edge of another clock: %v: %s", err, out)
	}
	return edge
}

// The wall clock of an edge is set an hour forward, and two back, while it serves: what ends by the wall clock ends by it, and comes back
// with it; no request that is allowed fails, the streams stay, and what was answered is counted once.
func TestAnEdgeServesOnWhenItsClockIsStepped(t *testing.T) {
	program := edgeOfAnotherClock(t)
	s := product.OwnStory(t, 1, harness.Loopback)
	clock, err := os.Create(filepath.Join(t.TempDir(), "step"))
	if err != nil {
		t.Fatal(err)
	}
	defer clock.Close()
	set := func(by time.Duration) {
		t.Helper()
		if _, err := clock.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(by.Seconds()))), 0); err != nil {
			t.Fatal(err)
		}
	}
	set(0)
	stepped, err := s.Environment.AddEdgeOf(t.Context(), program, "CLOCK_STEP="+clock.Name())
	if err != nil {
		t.Fatal(err)
	}
	f := begin(t, s)
	s = f.story
	brief := s.Key(sallyport.APIKey{Consumer: f.protected.Consumer.Name, ExpiresAt: time.Now().Add(30 * time.Minute)})
	limited := s.Service("limited", harness.NewUpstream(t, nil).Address)
	s.Policy(harness.APIKeys(s.Name("limited"), sallyport.Attachment{Service: limited.Name}))
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Service: limited.Name}, 1000, "1h"))
	s.Route(sallyport.Route{Name: s.Name("limited"), Service: limited.Name, Paths: harness.Below("/"), Hosts: []string{"limited." + s.Host}})
	held, expired := harness.WithKey(brief.Key), 0
	for _, step := range []time.Duration{0, time.Hour, -time.Hour, 0} {
		set(step)
		if step > 0 {
			answer := s.Send(stepped, http.MethodGet, "/", held)
			if answer.Status != http.StatusUnauthorized {
				t.Errorf("%v on, a key that ended is answered %s", step, answer)
			}
			t.Logf("a key that ended: %s", answer)
			expired++
		} else {
			s.Expect(stepped, "/", held, http.StatusOK, "")
			f.allowed++
		}
		if answer := s.SendTo(stepped, http.MethodGet, "/", "limited."+s.Host, harness.WithKey(f.protected.Key.Key)); answer.Status != http.StatusOK {
			t.Errorf("stepped by %v, a request within its limit is answered %s", step, answer)
		}
		f.progress(t, 10*loopProgress)
		f.writing.progress(t, loopProgress)
		late := s.Key(sallyport.APIKey{Consumer: f.protected.Consumer.Name}) // both streams bring what is written
		s.Revoke(late)
		s.ExpectAll("/", harness.WithKey(late.Key), http.StatusUnauthorized, "credential_invalid")
		f.refused += len(s.Edges())
		if status, err := stepped.Status(t.Context()); err != nil || status.Stale || !status.Connected {
			t.Errorf("stepped by %v, its status is %+v, %v", step, status, err)
		}
	}
	f.ended = expired
	f.check(t)
}
