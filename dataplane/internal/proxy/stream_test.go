package proxy

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestAStreamOfASuspendedConsumerIsGivenUpAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, slow{})
		ex := e.open(t)
		if ex.Response.Status != 200 || ex.Verdict != pipeline.Allowed {
			t.Fatalf("the stream began with %d %s", ex.Response.Status, ex.Verdict)
		}
		time.Sleep(time.Minute)
		e.Consumer(t, "alice", true)
		begun := time.Now()
		if _, err := ex.Response.Body.Read(nil); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the answer ended with %v, as if it were whole", err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %s", took)
		}
		e.proxy.log = NewAccessLog(io.Discard)
		e.proxy.Finish(ex)
		line := string(e.proxy.log.filling)
		for _, want := range []string{`"verdict":"stream_ended"`, `"reason":"consumer_suspended"`, `"status":200`, `"consumer":"alice"`} {
			if !strings.Contains(line, want) {
				t.Errorf("the access log says %s; want %s", line, want)
			}
		}
	})
}

func TestARequestEndedBeforeItsAnswerIsAnsweredWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, slow{silent: true})
		go func() {
			time.Sleep(time.Minute)
			e.Consumer(t, "alice", true)
		}()
		ex := e.open(t)
		defer e.proxy.Finish(ex)
		if ex.Response.Status != 403 || ex.Verdict != problem.StreamEnded {
			t.Errorf("answered %d %s, want 403 %s", ex.Response.Status, ex.Verdict, problem.StreamEnded)
		}
	})
}

// A stream of hours must not keep alive what every revision since has replaced.
func TestAStreamKeepsNoOldConfigurationAlive(t *testing.T) {
	e := newEdge(t, slow{})
	ex := e.open(t)
	defer e.proxy.Finish(ex)
	old := weak.Make(e.holder.Load())
	stages := weak.Make(stagesOf(t, e))

	e.configure(t, `{"policies": [{"name": "keys", "kind": "api-key", "config": {"required_scopes": ["other"]}, "attached_to": [{"environment": true}]}]}`)

	for deadline := time.Now().Add(time.Minute); old.Value() != nil || stages.Value() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the open stream keeps the revision alive under which it began")
		}
		runtime.GC()
	}
	if ex.Abort.Cause() != nil {
		t.Error("the stream didn't survive the revision")
	}
}

func stagesOf(t *testing.T, e *edge) *pipeline.Stages {
	t.Helper()
	route, err := e.holder.Load().Route(e.Exchange(edgetest.Get("/stream")))
	if err != nil {
		t.Fatal(err)
	}
	return route.Stages
}
