package postgres

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const parentDirVariable = "SALLYPORT_TEST_PARENT_DIR"

// beParent is what this test binary does as a child: it starts a server, says its pid, and waits to be killed.
func beParent(dir string) int {
	server, err := Start(context.Background(), Config{Dir: dir, Throwaway: true, Getenv: noVariables})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(server.PID())
	select {}
}

func TestServerDiesWithItsKilledParent(t *testing.T) {
	dir := folder(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentDirVariable+"="+dir)
	parent.Stderr = os.Stderr
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("the parent said %q: %v", line, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()  // says that it was killed
	awaitDeath(t, pid) // before the next start, which would end a server left over
	startTest(t, Config{Dir: dir, Throwaway: true})
}

func TestOrphanedServerIsStoppedByTheNextStart(t *testing.T) {
	dir := folder(t)
	orphan := startTest(t, Config{Dir: dir, Throwaway: true})
	if err := orphan.lock.Close(); err != nil { // as if its starter were gone, on a system without the signal
		t.Fatal(err)
	}
	startTest(t, Config{Dir: dir, Throwaway: true})
	if !orphan.process.reap() {
		t.Error("the orphan still runs")
	}
}

func TestWatchdogEndsTheServerWhenItsPipeCloses(t *testing.T) {
	server := startTest(t, Config{Dir: folder(t), Throwaway: true})
	guard, err := startWatchdog(server.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.pipe.Close(); err != nil { // what the kernel does when we die
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := server.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	guard.dismiss()
}

func TestDismissedWatchdogSignalsNobody(t *testing.T) {
	server := startTest(t, Config{Dir: folder(t), Throwaway: true})
	guard, err := startWatchdog(server.PID())
	if err != nil {
		t.Fatal(err)
	}
	guard.dismiss()
	if got := query[int](t, server.DSN(""), "SELECT 1"); got != 1 {
		t.Error("the server is gone")
	}
}

// awaitDeath waits for a process that isn't our child. Where nobody reaps orphans it stays a zombie: dead as well.
func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for alive(pid) && !zombie(pid) {
		if err := pause(ctx, pollInterval); err != nil {
			t.Fatalf("server %d lives on after its parent: %v", pid, err)
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
