package process

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOutputAndEnvironmentAreTheChilds(t *testing.T) {
	var out bytes.Buffer
	p, err := Start(Spec{Name: "echo", Path: "/bin/sh", Args: []string{"-c", "echo $GREETING; echo $GREETING >&2"}, Env: []string{"GREETING=hello"}, Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if got := strings.Fields(out.String()); len(got) != 2 || got[0] != "hello" {
		t.Errorf("printed %q, want hello twice", got)
	}
	if p.Err() != nil {
		t.Errorf("ended with %v", p.Err())
	}
}

func TestAChildThatDoesNotEndWhenAskedIsMadeTo(t *testing.T) {
	said, out := io.Pipe()
	deaf, err := Start(Spec{Name: "deaf", Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"}, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := said.Read(make([]byte, 8)); err != nil { // only now is it deaf
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := deaf.Stop(ctx); err == nil || !strings.Contains(err.Error(), "deaf") {
		t.Errorf("got %v, want an error that names it", err)
	}
	<-deaf.Done()
	polite, err := Start(Spec{Name: "polite", Path: "sleep", Args: []string{"60"}, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	if err := polite.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestWhatCannotStartIsNamed(t *testing.T) {
	if _, err := Start(Spec{Name: "nothing", Path: "/does/not/exist"}); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("got %v, want an error that names it", err)
	}
}
