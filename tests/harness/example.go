package harness

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Examples are the services of sdk/examples, by the language that they are written in.
var Examples = []string{"go", "node"}

// exampleStart bounds how long one may take until it says where it listens.
const exampleStart = time.Minute

// StartExample starts the example of a service behind a gateway, in a language, and returns where it listens. It ends with the test.
func StartExample(t testing.TB, language string, environment ...string) (address string) {
	t.Helper()
	bin, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	examples := filepath.Join(filepath.Dir(bin), "sdk", "examples")
	program := []string{"node", filepath.Join(examples, "orders-node", "server.mjs")}
	if language == "go" {
		program = []string{filepath.Join(t.TempDir(), "orders")}
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program[0], ".")
		build.Dir = filepath.Join(examples, "orders")
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the example: %v\n%s", err, said)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env, cmd.Stderr = append(append(os.Environ(), "LISTEN=127.0.0.1:0"), environment...), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		t.Fatalf("start the example: %v", err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // killed
	})
	told := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Scan()
		told <- lines.Text()
	}()
	select {
	case address = <-told:
	case <-time.After(exampleStart):
	}
	if address == "" {
		t.Fatal(fmt.Errorf("the example in %s doesn't say where it listens", language))
	}
	return address
}
