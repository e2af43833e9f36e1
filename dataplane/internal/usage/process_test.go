package usage

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// A process of its own, to be killed, is this test's program with these in its environment.
const (
	victimDir  = "SALLYPORT_TEST_VICTIM_DIR"
	victimBoot = "SALLYPORT_TEST_VICTIM_BOOT"
	writers    = 4
	// perRound is how much a writer records at most until the keeper has been there once more: the ring must not get full, since
	// what is counted in memory then isn't kept.
	perRound = 2000
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		beVictim(dir, os.Getenv(victimBoot))
	}
	goleak.VerifyTestMain(m)
}

// beVictim records for ever, and says a byte for each request once it is recorded.
func beVictim(dir, boot string) {
	ledger := Open(Config{
		Dir: dir, Origin: Origin{Node: testNode, Environment: testEnvironment, Boot: boot}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	var n, rounds atomic.Int64
	for on := range uint32(writers) {
		go func() {
			for last, left := int64(-1), 0; ; left-- {
				for ; left == 0; runtime.Gosched() {
					if now := rounds.Load(); now != last {
						last, left = now, perRound
					}
				}
				ledger.Recorder().Record(on, request(int(n.Add(1))))
				if _, err := os.Stdout.Write([]byte{'.'}); err != nil {
					os.Exit(1)
				}
			}
		}()
	}
	for {
		ledger.keep()
		rounds.Add(1)
		ledger.current.next() // never sent
	}
}

// The real thing: a process is killed by the kernel while it records, keeps and makes batches as fast as it can.
func TestAKilledProcessLosesNothingThatItSaidIsRecorded(t *testing.T) {
	dir, acknowledged, kills := t.TempDir(), 0, 3
	for n := range kills {
		victim := exec.CommandContext(t.Context(), os.Args[0])
		victim.Env = append(os.Environ(), victimDir+"="+dir, victimBoot+"=victim"+strconv.Itoa(n))
		victim.Stderr = os.Stderr
		said, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		before, err := io.CopyN(io.Discard, said, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		after, err := io.Copy(io.Discard, said)
		if err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed
		acknowledged += int(before + after)
	}
	got := int(drained(t, dir, newBus()).requests)
	if got < acknowledged || got > acknowledged+kills*writers {
		t.Errorf("%d requests were said to be recorded and %d are counted: want those, and at most %d more that nobody was told of",
			acknowledged, got, kills*writers)
	}
}
